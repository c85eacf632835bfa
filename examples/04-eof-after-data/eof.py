"""A client sends and closes its half at once. The server still gets all of it, then the end, and may still answer."""
import socket
import time

STATES = ("- ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN "
          "CLOSING").split()


def state(sock):
    return STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def reaches(sock, wanted):
    """Waits, briefly, for a state that depends on the other side's acknowledgement; returns the state."""
    deadline = time.monotonic() + 5
    while state(sock) != wanted and time.monotonic() < deadline:
        time.sleep(0.001)
    return state(sock)


def time_wait(local, peer):
    """Is this end of the connection in TIME_WAIT (06)? Its socket is gone then, so only the kernel's table knows."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(f":{local[1]:04X} 0100007F:{peer[1]:04X} 06 " in row for row in table)


server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
client = socket.socket()
client.connect(server.getsockname())
connection, _ = server.accept()
here, there = client.getsockname(), client.getpeername()

client.sendall(b"last words")
client.shutdown(socket.SHUT_WR)         # the FIN goes out behind the data
print("client sent and shut down: client", reaches(client, "FIN_WAIT2"), " server", reaches(connection, "CLOSE_WAIT"))
print("server reads", connection.recv(4))
print("server reads", connection.recv(100))
print("server reads", connection.recv(100), "- the end, and again", connection.recv(100))

connection.sendall(b"got it")           # CLOSE_WAIT may still send
print("client reads", client.recv(100))

connection.close()                      # its FIN; after the last ACK this side is gone at once
print("client reads", client.recv(100))
client.close()
print("after both closed: client TIME_WAIT:", time_wait(here, there), " server TIME_WAIT:", time_wait(there, here))
