#!/usr/bin/env python3
"""sniff.py CMD... - runs CMD and says which TCP segments came by on loopback meanwhile: flags, and seconds, rounded, since the
first. Needs a network namespace of its own."""
import select, socket, struct, subprocess, sys, time

raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
raw.bind(("lo", 0))
command = subprocess.Popen(sys.argv[1:])
first, seen = None, []
while True:
    ended = command.poll() is not None
    while select.select([raw], [], [], 0.05)[0]:
        packet, (_, _, kind, _, _) = raw.recvfrom(65535)
        if kind == socket.PACKET_OUTGOING or packet[9] != socket.IPPROTO_TCP:
            continue
        flags = packet[(packet[0] & 15) * 4 + 13]
        first = first or time.monotonic()
        names = "".join(n for bit, n in ((2, "S"), (1, "F"), (4, "R"), (16, "A")) if flags & bit)
        seen.append("%s at %d" % (names, round(time.monotonic() - first)))
    if ended:
        break
print("\n".join(seen))
sys.exit(command.returncode)
