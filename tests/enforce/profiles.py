"""Bind and TIME_WAIT where FreeBSD, macOS and the textbook differ from Linux, one line a question."""
import errno
import socket

ADDR, PORT = socket.SO_REUSEADDR, socket.SO_REUSEPORT


def name(call, *args):
    try:
        call(*args)
        return 'ok'
    except OSError as e:
        return errno.errorcode[e.errno]


def new(*options, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_INET, kind)
    for option in options:
        s.setsockopt(socket.SOL_SOCKET, option, 1)
    return s


def bound(*options, addr='127.0.0.1', listen=False, **how):
    s = new(*options, **how)
    s.bind((addr, 0))
    if listen:
        s.listen()
    return s


def onto(s, *options, **how):
    b = new(*options, **how)
    got = name(b.bind, ('127.0.0.1', s.getsockname()[1]))
    if got == 'ok' and not how and not s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        b.close()
    return got


s = bound(ADDR)
print('the same address twice, SO_REUSEADDR:', onto(s, ADDR))
s = bound(PORT, listen=True)
print('the same address twice, SO_REUSEPORT:', onto(s, PORT))
s = bound(ADDR, kind=socket.SOCK_DGRAM)
print('the same over UDP, SO_REUSEADDR:', onto(s, ADDR, kind=socket.SOCK_DGRAM))
s = bound(ADDR, addr='', listen=True)
print('an address beside a listening wildcard:', onto(s, ADDR))

s = bound(listen=True)
c = socket.create_connection(s.getsockname())
a, _ = s.accept()
port = s.getsockname()[1]
a.close()
s.close()
c.recv(1)
c.close()
print('TIME_WAIT, no option:', name(new().bind, ('127.0.0.1', port)))
print('TIME_WAIT, SO_REUSEPORT of the new one:', name(new(PORT).bind, ('127.0.0.1', port)))
t = new(ADDR)
print('TIME_WAIT, SO_REUSEADDR of the new one:', name(t.bind, ('127.0.0.1', port)), name(t.listen))

s = bound(listen=True)
c = socket.create_connection(s.getsockname())
a, _ = s.accept()
port = s.getsockname()[1]
s.close()
t = new(ADDR)
print('a connection, SO_REUSEADDR of the new one:', name(t.bind, ('127.0.0.1', port)), name(t.listen))
print('connect to port 0:', name(new().connect, ('127.0.0.1', 0)))
try:
    print('IPV6_V6ONLY:', socket.socket(socket.AF_INET6).getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
except OSError:
    print('IPV6_V6ONLY: no IPv6')
