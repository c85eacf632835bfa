"""What a machine with four ephemeral ports answers, one line a question. Runs natively in a network namespace that has
them, and under the virtual kernel, and must say the same. Arguments: the lowest of the ports, one for servers."""
import errno
import socket
import sys

LOW, SERVERS = int(sys.argv[1]), int(sys.argv[2])
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


def name(call, *args):
    try:
        call(*args)
        return 'ok'
    except OSError as e:
        return errno.errorcode[e.errno]


def until_refused(make):
    """How many it made, the errno, and what it made."""
    made = []
    while True:
        s, got = make()
        if got != 'ok':
            s.close()
            return len(made), got, made
        made.append(s)


def server(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('127.0.0.1', port))
    s.listen(64)
    return s


def connect(s, source=None, blocking=True):
    c = socket.socket()
    if source:
        c.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        c.bind((source, 0))
    c.setblocking(blocking)
    got = name(c.connect, s.getsockname())
    return c, 'ok' if got == 'EINPROGRESS' else got


def bind(kind, addr='127.0.0.1'):
    s = socket.socket(socket.AF_INET, kind)
    return s, name(s.bind, (addr, 0))


def udp_connect():
    s = socket.socket(socket.AF_INET, UDP)
    return s, name(s.connect, ('127.0.0.1', 9))


one, two = server(SERVERS), server(SERVERS + 1)
n, got, first = until_refused(lambda: connect(one))
print('connect:', n, got)
n, got, second = until_refused(lambda: connect(two, blocking=False))
print('the same ports to another server, non-blocking:', n, got)
print('ports:', sorted({c.getsockname()[1] - LOW for c in first + second}))
n, got, third = until_refused(lambda: connect(one, source='127.0.0.2'))
print('from another address:', n, got)
print('bind:', bind(TCP)[1], bind(TCP, '127.0.0.9')[1])
s = socket.socket()
print('listen without bind:', name(s.listen))
print('udp connect:', *until_refused(udp_connect)[:2])
print('udp bind:', *until_refused(lambda: bind(UDP))[:2])
# The clients close first and leave TIME_WAIT behind.
accepted = [one.accept()[0] for _ in first + third] + [two.accept()[0] for _ in second]
for s in first + second + third + accepted:
    s.close()
print('after the close:', connect(one)[1], connect(two)[1], bind(TCP)[1])
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
print('one that is named, in TIME_WAIT:', name(s.bind, ('127.0.0.1', LOW)))
s = socket.socket()
print('an address that nobody used:', name(s.bind, ('127.0.0.3', 0)), name(s.connect, one.getsockname()))
dead = server(SERVERS + 2)
peer = dead.getsockname()
dead.close()
c = socket.socket()
print('refused, and the port given back:', name(c.connect, peer), name(c.bind, ('127.0.0.3', SERVERS + 3)))
