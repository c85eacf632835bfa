"""0.0.0.0 stands for every address. May a specific one be bound beside it?"""
import errno
import socket


def attempt(what, call, *arguments):
    try:
        call(*arguments)
        print(f"{what:47} ok")
    except OSError as e:
        print(f"{what:47} {errno.errorcode[e.errno]}")


def new(reuseaddr):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuseaddr)
    return sock


for reuseaddr in 0, 1:
    print(f"with SO_REUSEADDR {reuseaddr} on both:")
    wildcard = new(reuseaddr)
    wildcard.bind(("0.0.0.0", 0))
    port = wildcard.getsockname()[1]
    specific = new(reuseaddr)
    attempt("  0.0.0.0 is bound; bind 127.0.0.1", specific.bind, ("127.0.0.1", port))
    attempt("  listen on 0.0.0.0", wildcard.listen)
    if reuseaddr:
        attempt("  listen on 127.0.0.1", specific.listen)
    attempt("  0.0.0.0 listens; another one binds 127.0.0.1", new(reuseaddr).bind, ("127.0.0.1", port))
    specific.close()
    wildcard.close()
