"""A client that connects and hangs up, again and again, until it has no port left."""
import errno
import socket


def listen(port):
    server = socket.socket()
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def visit(server):
    client = socket.socket()
    client.connect(server.getsockname())
    port = client.getsockname()[1]
    connection, _ = server.accept()
    client.close()              # the client hangs up first: its port stays in TIME_WAIT
    connection.close()
    return port


red, blue = listen(8080), listen(8081)

ports = []
try:
    while True:
        ports.append(visit(red))
except OSError as e:
    print(f"red server: connection {len(ports) + 1} fails:", errno.errorcode[e.errno])
print("used and left in TIME_WAIT:", *sorted(ports))

print("blue server: connects, from a port used before:", visit(blue) in ports)
