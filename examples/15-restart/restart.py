"""A server serves one client, hangs up first, stops, and is started again on its port."""
import socket

ADDRESS = ("127.0.0.1", 8080)


def start():
    server = socket.socket()
    server.bind(ADDRESS)
    server.listen()
    return server


def serve_one_client(server):
    client = socket.socket()
    client.connect(ADDRESS)
    connection, _ = server.accept()
    connection.sendall(b"bye")
    connection.close()          # the server hangs up first: its end will be in TIME_WAIT
    client.recv(100)
    client.close()


server = start()
serve_one_client(server)
server.close()
print("the server has stopped; all its sockets are closed")
with open("/proc/net/tcp", encoding="ascii") as table:
    print("ends in TIME_WAIT:", sum(row.split()[3] == "06" for row in table))

try:
    start()
    print("it starts again")
except OSError as e:
    print("it does not start again:", e.strerror)
