"""One client port, two connections: what must be unique is the whole 4-tuple, not the port."""
import errno
import socket


def listen():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def client(address):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)      # else the second bind is refused, see 18
    sock.bind(address)
    return sock


def connect(sock, server):
    try:
        sock.connect(server.getsockname())
        print("%s:%d -> %s:%d ok" % (*sock.getsockname(), *sock.getpeername()))
    except OSError as e:
        print("%s:%d -> %s:%d" % (*sock.getsockname(), *server.getsockname()), errno.errorcode[e.errno])


red, blue = listen(), listen()
first = client(("127.0.0.1", 0))
second = client(first.getsockname())
third = client(first.getsockname())
connect(first, red)
connect(second, blue)
connect(third, red)         # that 4-tuple is taken
