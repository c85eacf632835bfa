"""One port number, taken twice: once for TCP, once for UDP."""
import errno
import socket

tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
tcp.bind(("127.0.0.1", 0))
tcp.listen()
address = tcp.getsockname()

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(address)
print("TCP %s:%d" % tcp.getsockname(), " UDP %s:%d" % udp.getsockname())

# Each gets what is meant for it.
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(address)
client.send(b"by TCP")
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.sendto(b"by UDP", address)
connection, _ = tcp.accept()
print("TCP reads", connection.recv(100), " UDP reads", udp.recv(100))

try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(address)
except OSError as e:
    print("a second UDP socket:", errno.errorcode[e.errno])
