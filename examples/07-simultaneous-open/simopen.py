"""Two clients connect to each other. Nobody listens, nobody accepts, and both calls succeed.

Each must be in SYN_SENT when the other's SYN arrives. On loopback a SYN without a taker is answered by a RST within
microseconds, so the first client is made deaf for a moment: it asks for a time-to-live that no packet here has, and
the kernel drops what comes in. The first SYN is in vain then, and the second meets a socket that waits as well.
"""
import select
import socket

IP_MINTTL = 21      # <linux/in.h>; Python has no name for it
STATES = ("- ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN "
          "CLOSING").split()


def state(sock):
    return STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def client():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


a, b = client(), client()

a.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)
a.connect_ex(b.getsockname())
a.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 0)
print("a connects to b:", "a", state(a), " b", state(b))

b.setblocking(True)
b.connect(a.getsockname())          # does not wait: a answers at once
print("b connects to a:", "a", state(a), " b", state(b))

a.send(b"hello from a")
b.send(b"hello from b")
select.select([a], [], [], 5)       # readable
select.select([b], [], [], 5)
print("a reads", a.recv(100), " b reads", b.recv(100))
