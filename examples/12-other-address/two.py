"""Two servers on one port, each with an address of its own. Each gets its own clients."""
import socket

first = socket.socket()
first.bind(("127.0.0.1", 0))
first.listen()
port = first.getsockname()[1]

second = socket.socket()
second.bind(("127.0.0.2", port))        # every address 127.x.y.z is local
second.listen()

for name, server in ("first", first), ("second", second):
    client = socket.socket()
    client.connect(server.getsockname())
    connection, _ = server.accept()
    print(f"the {name} server's client came to %s:%d" % connection.getsockname())
