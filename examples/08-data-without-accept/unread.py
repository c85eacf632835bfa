"""A client connects, sends and leaves, all before the server accepts it. The server gets everything all the same."""
import socket

server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()

client = socket.socket()
client.connect(server.getsockname())
print("client sent", client.send(b"is anybody there?"), "bytes, all is well for it")
client.close()
print("client is gone; now the server accepts")

connection, peer = server.accept()
print("server reads", connection.recv(100))
print("server reads", connection.recv(100), "- the end")

# Once more, and this time the server never accepts: the client learns it only from the RST.
client = socket.socket()
client.connect(server.getsockname())
print("client sent", client.send(b"and now?"), "bytes, all is well for it")
server.close()
try:
    client.recv(100)
except ConnectionResetError as e:
    print("server closed without accepting; client reads:", e.strerror)
