"""The whole way on one core: accept, log, deliver, with the load and the vendor on the other.

python -m benchmarks.whole [SECONDS]
"""

import sys
import tempfile
import time
from pathlib import Path

import httpx
import msgspec

from benchmarks.accept import PATH
from benchmarks.load import KEY
from benchmarks.machine import LOAD_CORE, describe, load, serving


def configuration(folder: Path, sink: str) -> Path:
    """Write a gateway.yaml from Klaviyo to Klaviyo."""
    config = {
        "listen": {"port": 0},
        "admin": {"port": 0},
        "log": {"sqlite": "gateway.db"},
        "logging": {"format": "json", "level": "warning"},
        "sources": {"shop": {"vendor": "klaviyo", "path": "/klaviyo", "credentials": [{"private_key": KEY}]}},
        "targets": {"mail": {"vendor": "klaviyo", "base_url": sink, "credentials": {"private_key": KEY}}},
        "routes": [{"name": "all", "to": "mail"}],
    }
    path = folder / "gateway.yaml"
    path.write_bytes(msgspec.yaml.encode(config))
    return path


def drained(admin: str) -> int:
    """Wait until nothing is queued; return how many events were delivered."""
    while True:
        (target,) = httpx.get(f"{admin}/status", trust_env=False, timeout=30).json()["log"]["targets"]
        if not target["queued"]:
            return int(target["delivered"])
        time.sleep(0.1)


def measure(endpoints: str, seconds: float) -> float:
    """Return events per second from the first accepted to the last delivered."""
    with (
        tempfile.TemporaryDirectory(dir=".") as folder,
        serving(["-m", "benchmarks.sink"], LOAD_CORE) as (_, sink),
    ):
        path = configuration(Path(folder), sink["url"])
        with serving(["-m", "benchmarks.whole_server", str(path), endpoints]) as (_, ready):
            started = time.monotonic()
            load(ready["listen"], PATH, 64, seconds)
            return drained(ready["admin"]) / (time.monotonic() - started)


def main(seconds: float = 5.0) -> None:
    """Measure and print."""
    print(f"one core, accept to vendor; {describe()}")
    for what, endpoints, goal in (
        ("one request per event", "events", "must 5,000, aim 8,000"),
        ("in bulk", "events,event-bulk-create-jobs", "must 12,000, aim 18,000"),
    ):
        print(f"  {what:22} {measure(endpoints, seconds):8.0f} events/s ({goal})")


if __name__ == "__main__":
    main(*(float(arg) for arg in sys.argv[1:2]))
