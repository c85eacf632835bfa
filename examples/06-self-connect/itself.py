"""A TCP socket that is connected to itself: no listener, no second socket, no accept."""
import socket

sock = socket.socket()
sock.bind(("127.0.0.1", 0))
sock.connect(sock.getsockname())        # its SYN comes back to it, and it answers
print("local %s:%d" % sock.getsockname())
print("peer  %s:%d" % sock.getpeername())
sock.sendall(b"echo")
print("it reads what it sent:", sock.recv(100))
