"""A server serves one client, hangs up first, stops, and is started again on its port."""
import socket
import time


def start(port):
    server = socket.socket()
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def serve_one_client(server):
    client = socket.socket()
    client.connect(server.getsockname())
    connection, _ = server.accept()
    connection.sendall(b"bye")
    connection.close()          # the server hangs up first: its end will be in TIME_WAIT
    client.recv(100)
    client.close()


def start_again(port):
    try:
        start(port)
        return "ok"
    except OSError as e:
        return e.strerror


server = start(0)
port = server.getsockname()[1]
serve_one_client(server)
server.close()
print("the server has stopped, all its sockets are closed")
print("start it again, at once:       ", start_again(port))
time.sleep(1)
print("start it again, a second later:", start_again(port))
