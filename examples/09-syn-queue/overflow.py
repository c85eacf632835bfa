"""The accept queue overflows: what does the next client see, and what does the kernel count?"""
import select
import socket

STATES = ("- ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN "
          "CLOSING").split()


def state(sock):
    return STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def counter(name):
    with open("/proc/net/netstat", encoding="ascii") as table:
        names, values = (row.split() for row in table if row.startswith("TcpExt:"))
    return int(values[names.index(name)])


server = socket.socket()
server.bind(("127.0.0.1", 8080))
server.listen(1)                        # room for two, see example 2
clients = [socket.socket() for _ in range(2)]
for client in clients:
    client.connect(("127.0.0.1", 8080))

late = socket.socket()
late.setblocking(False)
late.connect_ex(("127.0.0.1", 8080))
select.select([], [late], [], 0.2)
print("queue full; the late client is in", state(late), "- ListenOverflows", counter("ListenOverflows"))

server.accept()
select.select([], [late], [], 5)        # it tries again after a second
print("one accepted; the late client is", state(late))
