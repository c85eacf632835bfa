"""Two clients connect to each other. Nobody listens, nobody accepts, and both calls succeed.

Each must be in SYN_SENT when the other's SYN arrives. On loopback a SYN without a taker is answered by a RST within
microseconds, so the first client is made deaf for a moment: a socket filter drops what comes in. The first SYN is
lost then, and the second one finds a socket that waits for a handshake of its own.
"""
import ctypes
import select
import socket
import struct

STATES = "- ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING".split()
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27     # <asm/socket.h>
DROP = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))     # one instruction: keep 0 bytes


def state(sock):
    return STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def client():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


a, b = client(), client()

a.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(DROP)))
a.connect_ex(b.getsockname())
a.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
print("a connects to b:", "a", state(a), " b", state(b))

b.connect_ex(a.getsockname())
select.select([], [a], [], 5)
select.select([], [b], [], 5)
print("b connects to a:", "a", state(a), " b", state(b))

a.send(b"hello from a")
b.send(b"hello from b")
select.select([a], [], [], 5)
select.select([b], [], [], 5)
print("a reads", a.recv(100), " b reads", b.recv(100))
