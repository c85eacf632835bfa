"""A client with one port, which is in TIME_WAIT: when may it connect again? And may the server be restarted?"""
import errno
import socket
import time


def attempt(what, call, *arguments):
    try:
        call(*arguments)
        print(f"{what}: ok")
    except OSError as e:
        print(f"{what}: {errno.errorcode[e.errno]}")


def listen(port):
    server = socket.socket()
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def visit(server, client_first):
    client = socket.socket()
    client.connect(server.getsockname())
    connection, _ = server.accept()
    first, second = (client, connection) if client_first else (connection, client)
    first.close()               # whose end will be in TIME_WAIT
    second.recv(1)
    second.close()


red, blue = listen(8080), listen(8081)
visit(red, client_first=True)           # leaves the client's port in TIME_WAIT
visit(blue, client_first=False)         # leaves the server's
blue.close()
attempt("the client connects again, at once", visit, red, True)
time.sleep(1.1)                         # a TIME_WAIT is reused after a second at the earliest
attempt("the client connects again, after a second", visit, red, True)
attempt("the other server starts again", listen, 8081)
