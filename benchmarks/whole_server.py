"""A whole gateway whose targets have no rate limits, for measuring it: `gateway serve` otherwise.

python -m benchmarks.whole_server CONFIG ENDPOINT[,ENDPOINT] [WORKERS] READY_FILE
"""

import sys
from pathlib import Path

import msgspec

from benchmarks.delivery import wide
from gateway import registry
from gateway.app import serve, serve_with_workers
from gateway.loading import load_whole
from gateway.opening import run


def main() -> None:
    """Serve until told to stop."""
    path, names, ready = Path(sys.argv[1]), sys.argv[2].split(","), Path(sys.argv[-1])
    known = registry.adapters()
    for slug, adapter in known.items():
        endpoints = tuple(wide(one) for one in adapter.outbound if one.name in names)
        known[slug] = msgspec.structs.replace(adapter, outbound=endpoints)
    if len(sys.argv) > 4:
        run(serve_with_workers(load_whole(path), int(sys.argv[3]), ready))
    else:
        run(serve(load_whole(path), "all", ready))


if __name__ == "__main__":
    main()
