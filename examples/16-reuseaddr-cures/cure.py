"""The restart of example 15, with SO_REUSEADDR on the old server, the new one, both or none."""
import errno
import socket


def start(port, reuseaddr):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuseaddr)
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def serve_and_stop(server):
    client = socket.socket()
    client.connect(server.getsockname())
    connection, _ = server.accept()
    connection.close()          # the server hangs up first: its end will be in TIME_WAIT
    client.recv(100)
    client.close()
    server.close()


for port, old, new in (8080, 0, 0), (8081, 0, 1), (8082, 1, 0), (8083, 1, 1):
    serve_and_stop(start(port, old))
    try:
        start(port, new)
        answer = "starts"
    except OSError as e:
        answer = errno.errorcode[e.errno]
    print(f"SO_REUSEADDR on the old server: {old}, on the new one: {new} -> {answer}")
