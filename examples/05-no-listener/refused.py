"""A port can be taken and still refuse every client: bind alone does not make a server."""
import errno
import socket


def attempt(what, call, *arguments):
    try:
        call(*arguments)
        print(f"{what}: ok")
    except OSError as e:
        print(f"{what}: {errno.errorcode[e.errno]}")


server = socket.socket()
server.bind(("127.0.0.1", 0))
address = server.getsockname()

attempt("client connects to a port that is bound", socket.socket().connect, address)
attempt("another server binds that port", socket.socket().bind, address)
server.listen()
attempt("client connects after listen", socket.socket().connect, address)
server.close()
attempt("client connects after close", socket.socket().connect, address)
