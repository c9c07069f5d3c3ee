"""The reference of the accept path: a Starlette route that reads the body and answers 202.

python -m benchmarks.floor READY_FILE
"""

import asyncio
import sys
from pathlib import Path

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.serving import Server, bind, stop_event, url_of, write_ready


async def accept(request: Request) -> Response:
    """Read the body, answer 202."""
    await request.body()
    return Response(status_code=202)


async def main() -> None:
    """Serve until told to stop."""
    listener = bind("127.0.0.1", 0)
    server = Server(Starlette(routes=[Route("/klaviyo/api/events", accept, methods=["POST"])]), listener)
    stop = stop_event()
    await server.start()
    write_ready(Path(sys.argv[1]), {"listen": url_of(listener)})
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
