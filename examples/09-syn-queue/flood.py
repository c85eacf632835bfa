"""A SYN flood on a small scale: twenty SYNs from nowhere fill the SYN queue, then an honest client comes.

Writes packets with false sender addresses, so it needs a network namespace of its own (CAP_NET_RAW).
"""
import select
import socket
import struct
import subprocess

PORT = 8080


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn_packet(sender, sender_port):
    """An IP packet with the first segment of a handshake (RFC 791, RFC 9293)."""
    ends = socket.inet_aton(sender) + socket.inet_aton("127.0.0.1")
    length, flag_syn, window = 20, 0x02, 65535
    tcp = struct.pack("!HHIIBBHHH", sender_port, PORT, 1, 0, length // 4 << 4, flag_syn, window, 0, 0)
    check = checksum(ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, length) + tcp)
    tcp = tcp[:16] + struct.pack("!H", check) + tcp[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_TCP, 0) + ends + tcp


def counter(name):
    with open("/proc/net/netstat", encoding="ascii") as table:
        names, values = (row.split() for row in table if row.startswith("TcpExt:"))
    return int(values[names.index(name)])


def half_open():
    with open("/proc/net/tcp", encoding="ascii") as table:
        return sum(row.split()[3] == "03" for row in table)     # SYN_RECV


# The answers to the false senders go where nobody answers.
subprocess.run("ip route add 10.0.0.0/24 dev lo".split(), check=True)
with open("/proc/sys/net/ipv4/tcp_syncookies", encoding="ascii") as setting:
    print("tcp_syncookies =", setting.read().strip())

server = socket.socket()
server.bind(("127.0.0.1", PORT))
server.listen(4)

raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for i in range(20):
    raw.sendto(syn_packet(f"10.0.0.{i + 1}", 1000 + i), ("127.0.0.1", 0))
print("  20 SYNs from nowhere:", half_open(), "half open,", counter("TCPReqQFullDrop"), "dropped,",
      counter("SyncookiesSent"), "answered with a cookie")

client = socket.socket()
client.setblocking(False)
client.connect_ex(("127.0.0.1", PORT))
connected = bool(select.select([], [client], [], 0.3)[1])
print("  an honest client connects:", connected, "- cookies that came back:", counter("SyncookiesRecv"))
