"""The client is connected before the server has called accept. One process, one thread: there is nobody who could."""
import socket
import struct


def queued(listener):
    """How many connections wait to be accepted: tcpi_unacked in a listener's TCP_INFO."""
    return struct.unpack_from("24x I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32))[0]


server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()

client = socket.socket()
client.connect(server.getsockname())    # blocks until the handshake is done, and no longer
print("connect returned; waiting to be accepted:", queued(server))

connection, peer = server.accept()
print("accept returned;  waiting to be accepted:", queued(server))
print("it is that client:", peer == client.getsockname())
