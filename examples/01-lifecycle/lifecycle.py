"""A server and two clients, step by step, in one process. After each step: what state is which socket in?"""
import socket

STATES = ("- ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN "
          "CLOSING").split()


def state(sock):
    return STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def show(step, **sockets):
    print(f"{step:16}", *(f"{name} {state(sock):12}" for name, sock in sockets.items()))


server = socket.socket()
server.bind(("127.0.0.1", 0))           # port 0: the kernel chooses one
show("bind", server=server)
server.listen()
show("listen", server=server)

client = socket.socket()
client.connect(server.getsockname())
show("connect", server=server, client=client)

connection, peer = server.accept()      # a new socket; the old one goes on listening
show("accept", server=server, client=client, connection=connection)
print("  the server's address:     %s:%d" % server.getsockname())
print("  the connection's address: %s:%d, peer %s:%d" % (*connection.getsockname(), *connection.getpeername()))

connection.close()
client.close()
show("close", server=server)

second = socket.socket()
second.connect(server.getsockname())    # still there for the next one
show("second connect", server=server, client=second)
