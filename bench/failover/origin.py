"""A web server's end of a long download: some bytes every 10 ms for as long as anybody listens.

``python origin.py ADDRESS``; port 9000.
"""

import asyncio
import contextlib
import sys

EVERY_S = 0.01
CHUNK = b"." * 100


async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while True:
            writer.write(CHUNK)
            await writer.drain()
            await asyncio.sleep(EVERY_S)


async def main() -> None:
    server = await asyncio.start_server(serve, sys.argv[1], 9000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
