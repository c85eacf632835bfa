"""A client waits for its server to come up. No server ever does, and yet it gets a connection."""
import socket

while True:
    client = socket.socket()
    try:
        client.connect(("127.0.0.1", 40004))
        break
    except ConnectionRefusedError:
        client.close()

print("connected! local %s:%d" % client.getsockname(), "peer %s:%d" % client.getpeername())
