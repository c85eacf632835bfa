"""Two clients want the same local port, for different servers: no two connections would be alike. May they?"""
import errno
import socket
import struct

IP_LOCAL_PORT_RANGE = 51    # <linux/in.h>; Python has no name for it. Lowest and highest port


def listen():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def attempt(what, call, *arguments):
    try:
        call(*arguments)
        print(f"{what}: ok")
    except OSError as e:
        print(f"{what}: {errno.errorcode[e.errno]}")


red, blue = listen(), listen()

# They say which port they want, before anybody knows where they will connect to.
first, second = socket.socket(), socket.socket()
first.bind(("127.0.0.1", 0))
attempt("first binds, and connects to red", first.connect, red.getsockname())
attempt("second binds the same port", second.bind, first.getsockname())

# The kernel chooses at connect, when the whole 4-tuple is known; the fourth may choose from one port only.
third, fourth = socket.socket(), socket.socket()
attempt("third just connects to red", third.connect, red.getsockname())
port = third.getsockname()[1]
fourth.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("HH", port, port))
attempt("fourth just connects to blue", fourth.connect, blue.getsockname())
print("both on one port:", fourth.getsockname() == third.getsockname())
