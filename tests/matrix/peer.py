"""The plain peer of a real program: it asks a server, or answers a client, and makes the real condition.

peer.py ask PROTOCOL PORT MS WHAT...   asks for each WHAT (page, pong) and says what became of it within MS
peer.py meet PORT MS                   connects, says nothing, and says what became of that
peer.py reset PORT                     connects and resets the connection
peer.py cut PROTOCOL PORT BYTES        asks for the page and resets the connection after so many bytes of it
peer.py answer FILE [HOW]              listens, writes its port into FILE, and answers (HTTP and redis) until it is ended.
  HOW: well; reset: a RST at once; cut: a RST after 4096 bytes of each page; gone: after one answer the connection is gone without a word
       (needs CAP_NET_ADMIN); never: the queue is full, so that SYNs are dropped
peer.py exhausted PORT -- COMMAND...   runs COMMAND while connections to PORT hold all ephemeral ports"""
import errno, fcntl, os, re, socket, struct, subprocess, sys, termios, threading, time

PAGE = b'x' * 100000
HOST = '127.0.0.1'


def linger_none(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


# ---- as a client ----

def question(protocol, what):
    return {
        'http': b'GET /%s HTTP/1.1\r\nHost: a\r\n\r\n',
        'redis': b'GET %s\r\n',
        'memcached': b'get %s\r\n',
    }[protocol] % what.encode()


def length(protocol, head):
    """How many bytes the answer has, once its head is there."""
    if protocol == 'http':
        found = re.search(rb'Content-Length: (\d+)(?s:.*?)\r\n\r\n', head, re.I)
        return found and found.end() + int(found[1])
    found = re.match(rb'\$(\d+)\r\n' if protocol == 'redis' else rb'VALUE \S+ \d+ (\d+)\r\n', head)
    return found and found.end() + int(found[1]) + (2 if protocol == 'redis' else 7)


def ask(protocol, port, ms, *whats):
    for what in whats:
        converse(port, question(protocol, what), protocol, ms)


def meet(port, ms):
    converse(port, b'', 'http', ms)


def converse(port, says, protocol, ms):
    got, whole, how = b'', None, 'end'
    s = socket.socket()
    s.settimeout(int(ms) / 1000)
    try:
        s.connect((HOST, int(port)))
        s.sendall(says)
        while not whole or len(got) < whole:
            part = s.recv(65536)
            if not part:
                break
            got += part
            whole = whole or length(protocol, got[:1000])
    except TimeoutError:
        how = 'timeout'
    except OSError as error:
        how = errno.errorcode[error.errno]
    print('whole' if whole and len(got) == whole else f'{len(got)} bytes, then {how}')


def reset(port):
    s = socket.create_connection((HOST, int(port)))
    linger_none(s)
    s.close()


def cut(protocol, port, n):
    s = socket.create_connection((HOST, int(port)), timeout=10)
    s.sendall(question(protocol, 'page'))
    left = int(n)
    while left > 0:
        left -= len(s.recv(left))
    linger_none(s)
    s.close()


# ---- as a server ----

def reply(request):
    if not request.startswith(b'GET '):
        return b'+PONG\r\n'
    body = PAGE if request.startswith(b'GET /page') else b'pong'
    return b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body


def requests(s):
    """Each request of a connection, however many pieces it came in."""
    got = b''
    while part := s.recv(65536):
        got += part
        while found := re.search(rb'\r\n\r\n|(?i:PING)\r\n', got):
            yield got[:found.end()]
            got = got[found.end():]


def wait_acknowledged(s):
    """Until the client's kernel has all of the answer (SIOCOUTQ)."""
    while struct.unpack('i', fcntl.ioctl(s, termios.TIOCOUTQ, b'....'))[0]:
        time.sleep(0.001)


def serve(s, how):
    sent = 0
    try:
        if how == 'reset':
            linger_none(s)
            return
        for request in requests(s):
            out = reply(request)
            if how == 'cut' and sent + len(out) > 4096:
                s.sendall(out[:4096 - sent])
                linger_none(s)
                return
            s.sendall(out)
            sent += len(out)
            if how == 'gone':
                wait_acknowledged(s)
                s.setsockopt(socket.IPPROTO_TCP, 19, 1)     # TCP_REPAIR: close says nothing
                return
    except OSError:
        pass
    finally:
        s.close()


def answer(file, how='well'):
    server = socket.socket()
    server.bind((HOST, 0))
    server.listen(0 if how == 'never' else 64)
    if how == 'never':
        first = socket.create_connection(server.getsockname())
    with open(file + '.new', 'w') as f:
        f.write(str(server.getsockname()[1]))
    os.rename(file + '.new', file)
    while how == 'never':
        threading.Event().wait()
    while True:
        threading.Thread(target=serve, args=(server.accept()[0], how), daemon=True).start()


def exhausted(port, _, *command):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, int(port)))
    server.listen(64)
    held = []
    try:
        while True:
            held.append(socket.create_connection(server.getsockname()))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
    sys.exit(subprocess.run(command).returncode)


{f.__name__: f for f in (ask, meet, reset, cut, answer, exhausted)}[sys.argv[1]](*sys.argv[2:])
