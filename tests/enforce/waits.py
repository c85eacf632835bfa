"""Who may bind a port after a connection on it was closed, one line a case: what a second server without and one with
SO_REUSEADDR gets. Runs natively and under the virtual kernel, and must say the same."""
import errno
import os
import signal
import socket
import struct


def name(call, *args):
    try:
        call(*args)
        return 'ok'
    except OSError as e:
        return errno.errorcode[e.errno]


def tcp(reuse):
    s = socket.socket()
    if reuse:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return s


def listener(reuse):
    s = tcp(reuse)
    s.bind(('127.0.0.1', 0))
    s.listen()
    return s


def bind_and_listen(port, reuse):
    s = tcp(reuse)
    got = name(s.bind, ('127.0.0.1', port))
    if got == 'ok':
        got = name(s.listen)
    s.close()
    return got


def again(port):
    return bind_and_listen(port, 0) + ' ' + bind_and_listen(port, 1)


def unread(s, c, a):
    c.send(b'x')
    a.recv(1, socket.MSG_PEEK)
    a.close()


LINGER = struct.pack('ii', 1, 0)
CASES = [
    ('the server closes first', 0, lambda s, c, a: a.close()),
    ('the server closes first, SO_REUSEADDR', 1, lambda s, c, a: a.close()),
    ('the client closes first', 0, lambda s, c, a: (c.close(), a.recv(1))),
    ('SO_REUSEADDR on the accepted one only', 0,
     lambda s, c, a: (a.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1), a.close())),
    ('SO_LINGER of no seconds', 0,
     lambda s, c, a: (a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER), a.close())),
    ('unread data', 0, unread),
    ('shutdown of both, the server first', 0, lambda s, c, a: (a.shutdown(1), c.recv(1), c.shutdown(1), a.recv(1))),
    ('shutdown of both, the client first', 0, lambda s, c, a: (c.shutdown(1), a.recv(1), a.shutdown(1), c.recv(1))),
]

for what, reuse, close in CASES:
    s = listener(reuse)
    c = socket.create_connection(s.getsockname())
    a, _ = s.accept()
    port = s.getsockname()[1]
    close(s, c, a)
    for x in s, c, a:
        x.close()
    print(what + ':', again(port))

for reuse in 0, 1:
    s = listener(reuse)
    c = socket.create_connection(s.getsockname())
    a, _ = s.accept()
    port = s.getsockname()[1]
    s.close()
    print('established, no listener:', again(port), a.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))
    c.close()
    a.close()

for reuse in 0, 1:
    s = listener(reuse)
    print('a listener:', again(s.getsockname()[1]))
    b = tcp(reuse)
    b.bind(('127.0.0.1', 0))
    print('bound:', again(b.getsockname()[1]))
    b.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1 - reuse)
    print('bound, then changed:', again(b.getsockname()[1]))


def dies(how):
    port, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        s = listener(0)
        os.write(told, b'%5d' % s.getsockname()[1])
        a, _ = s.accept()
        os.write(told, b'x')
        how()
    n = int(os.read(port, 5))
    c = socket.create_connection(('127.0.0.1', n))
    os.read(port, 1)
    os.waitpid(pid, 0)
    c.recv(1)
    c.close()
    return again(n)


print('killed:', dies(lambda: os.kill(os.getpid(), signal.SIGKILL)))
print('exited:', dies(lambda: os._exit(0)))
