"""Two processes want the same address and port: claim.py starts itself a second time, with the port as argument."""
import socket
import subprocess
import sys


def claim(name, port):
    server = socket.socket()
    try:
        server.bind(("127.0.0.1", port))
        server.listen()
        print(f"{name} process: the port is mine", flush=True)
    except OSError as e:
        print(f"{name} process: {e.strerror}", flush=True)
    return server


if len(sys.argv) > 1:
    claim("second", int(sys.argv[1]))
else:
    first = claim("first", 0)
    again = [sys.executable, __file__, str(first.getsockname()[1])]
    subprocess.run(again, check=True)
    first.close()
    print("first process: closed, let the second try again", flush=True)
    subprocess.run(again, check=True)
