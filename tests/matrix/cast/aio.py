"""A small HTTP server and client on asyncio's streams.

aio.py serve PORT: answers /page with 100000 bytes and anything else with "pong", and keeps its connections.
aio.py ask PORT MS PATH...: asks one after the other on one connection, each within MS; a line for each answer.
What asyncio raises or logs is said in its own words."""
import asyncio, logging, re, sys

logging.basicConfig(format='%(message)s', level=logging.INFO)


async def answer(reader, writer):
    try:
        while request := await reader.readuntil(b'\r\n\r\n'):
            body = b'x' * 100000 if request.startswith(b'GET /page') else b'pong'
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
            await writer.drain()
    except asyncio.IncompleteReadError:
        pass
    except OSError as error:
        print(repr(error), file=sys.stderr)
    writer.close()


async def serve(port):
    async with await asyncio.start_server(answer, '127.0.0.1', port) as server:
        await server.serve_forever()


async def ask_one(reader, writer, path):
    writer.write(f'GET {path} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
    await writer.drain()
    head = await reader.readuntil(b'\r\n\r\n')
    body = await reader.readexactly(int(re.search(rb'Content-Length: (\d+)', head)[1]))
    print(200, len(body))


async def ask(port, limit_ms, *paths):
    limit = int(limit_ms) / 1000
    reader, writer = await asyncio.wait_for(asyncio.open_connection('127.0.0.1', port), limit)
    for path in paths:
        await asyncio.wait_for(ask_one(reader, writer, path), limit)


try:
    asyncio.run({'serve': serve, 'ask': ask}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:]))
except KeyboardInterrupt:
    pass
except (OSError, EOFError, asyncio.TimeoutError) as error:
    print(repr(error), file=sys.stderr)
    sys.exit(1)
