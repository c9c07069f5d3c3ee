"""The least HTTP server that takes POSTs: what clients are measured against.

python -m benchmarks.sink READY_FILE
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Final

import uvloop

ANSWER: Final = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/vnd.api+json\r\nServer: sink\r\n"
    b"RateLimit-Limit: 350\r\nRateLimit-Remaining: 349\r\nRateLimit-Reset: 1\r\nContent-Length: 0\r\n\r\n"
)


class Sink(asyncio.Protocol):
    """One connection: every whole request is answered with 202."""

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # TCP

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer + data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(buffer) < end + 4 + size:
                break
            buffer = buffer[end + 4 + size :]
            self.transport.write(ANSWER)
        self.buffer = buffer


async def main(ready: Path) -> None:
    """Serve until stopped."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    part = ready.with_suffix(".part")
    part.write_text(json.dumps({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}))
    part.rename(ready)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
