"""SO_REUSEADDR by the same name means different things. What Linux says here, beside what BSD would say."""
import errno
import socket


def new(reuseaddr):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuseaddr)
    return sock


def bound(address, reuseaddr, listens=False):
    sock = new(reuseaddr)
    sock.bind((address, 0))
    if listens:
        sock.listen()
    return sock


def in_time_wait(reuseaddr):
    """A server that served one client, hung up first and stopped; returns its port."""
    server = bound("127.0.0.1", reuseaddr, listens=True)
    client = new(0)
    client.connect(server.getsockname())
    connection, _ = server.accept()
    connection.close()
    client.recv(1)
    client.close()
    port = server.getsockname()[1]
    server.close()
    return port


def bind(sock, port):
    try:
        sock.bind(("127.0.0.1", port))
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]


def row(old, new_one, here, bsd):
    print(f"{old:34} {new_one:14} {here:11} {bsd}")


row("on the port already", "new one", "here", "FreeBSD, macOS")
twin = bound("127.0.0.1", reuseaddr=1)
row("the same address, REUSEADDR", "REUSEADDR", bind(new(1), twin.getsockname()[1]), "EADDRINUSE")

wildcard = bound("0.0.0.0", reuseaddr=0, listens=True)
row("0.0.0.0 listening, no option", "REUSEADDR", bind(new(1), wildcard.getsockname()[1]), "ok")

wildcard = bound("0.0.0.0", reuseaddr=1, listens=True)
row("0.0.0.0 listening, REUSEADDR", "REUSEADDR", bind(new(1), wildcard.getsockname()[1]), "ok")

row("TIME_WAIT of one without option", "REUSEADDR", bind(new(1), in_time_wait(reuseaddr=0)), "ok")
row("TIME_WAIT of one with REUSEADDR", "REUSEADDR", bind(new(1), in_time_wait(reuseaddr=1)), "ok")
row("TIME_WAIT of one with REUSEADDR", "no option", bind(new(0), in_time_wait(reuseaddr=1)), "EADDRINUSE")
