"""How many clients get in when nobody accepts? As many as the accept queue holds, for each backlog given."""
import select
import socket
import struct
import sys


def limit(listener):
    """The length the kernel granted: tcpi_sacked in a listener's TCP_INFO."""
    return struct.unpack_from("28x I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32))[0]


def connects(address):
    """A new client, and whether it got through; on loopback a handshake takes microseconds."""
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(address)
    return client, bool(select.select([], [client], [], 0.2)[1])


for backlog in map(int, sys.argv[1:]):
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(backlog)
    clients = []
    connected = True
    while connected:
        client, connected = connects(server.getsockname())
        clients.append(client)
    print(f"listen({backlog}): limit {limit(server)}, admitted {len(clients) - 1}, the next client waits")
    server.close()
