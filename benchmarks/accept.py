"""The durable accept path against the bare Starlette floor, in alternating rounds.

python -m benchmarks.accept [ROUNDS] [SECONDS]
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.load import KEY
from benchmarks.machine import cpu_seconds, describe, load, memory_mb, middle, serving

CONNECTIONS = 64
PATH = "/klaviyo/api/events"


def configuration(folder: Path, level: str) -> Path:
    """Write a gateway.yaml with one source, one target and ten routes."""
    routes: list[dict[str, Any]] = [
        {"name": f"rule-{n}", "match": {"source": "shop", "name": [f"Never {n} *"]}, "to": "crm"} for n in range(9)
    ]
    config = {
        "listen": {"port": 0},
        "admin": {"port": 0},
        "log": {"sqlite": "gateway.db"},
        "logging": {"format": "json", "level": level},
        "sources": {"shop": {"vendor": "klaviyo", "path": "/klaviyo", "credentials": [{"private_key": KEY}]}},
        "targets": {
            "crm": {"vendor": "blueshift", "base_url": "http://127.0.0.1:9", "credentials": {"event_api_key": "k"}}
        },
        "routes": [*routes, {"name": "all", "to": "crm"}],
    }
    path = folder / "gateway.yaml"
    path.write_bytes(msgspec.yaml.encode(config))
    return path


def measure(command: list[str], seconds: float, rate: float | None = None) -> dict[str, float]:
    """Return rate, times, CPU per request (microseconds) and memory of one round."""
    with serving(command) as (process, ready):
        load(ready["listen"], PATH, CONNECTIONS, 0.5)
        before = cpu_seconds(process.pid)
        counted = load(ready["listen"], PATH, 256 if rate else CONNECTIONS, seconds, rate)
        cpu = (cpu_seconds(process.pid) - before) / counted["requests"] * 1e6
        return {**counted, "cpu_us": cpu, "memory_mb": memory_mb(process.pid)}


def gateway_round(level: str, seconds: float, rate: float | None = None) -> dict[str, float]:
    """Measure the gateway with a log of its own."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        config = configuration(Path(folder), level)
        command = ["-m", "gateway", "serve", "-c", str(config), "--role", "ingest", "--ready-file"]
        return measure(command, seconds, rate)


def floor_round(seconds: float) -> dict[str, float]:
    """Measure the floor."""
    return measure(["-m", "benchmarks.floor"], seconds)


def main(rounds: int = 3, seconds: float = 4.0) -> None:
    """Measure and print."""
    print(f"accept, {CONNECTIONS} connections, one worker on one core, 738-byte Klaviyo events; {describe()}")
    held: dict[str, list[dict[str, float]]] = {"floor": [], "gateway": [], "gateway, no line per request": []}
    for _ in range(rounds):
        held["floor"].append(floor_round(seconds))
        held["gateway"].append(gateway_round("info", seconds))
        held["gateway, no line per request"].append(gateway_round("warning", seconds))
    floor = held["floor"]
    for name, values in held.items():
        ratio = middle([v["per_second"] / f["per_second"] for v, f in zip(values, floor, strict=True)])
        work = middle([f["cpu_us"] / v["cpu_us"] for v, f in zip(values, floor, strict=True)])
        figures = {
            key: middle([v[key] for v in values]) for key in ("per_second", "cpu_us", "p50_ms", "p99_ms", "memory_mb")
        }
        print(
            f"  {name:29} {figures['per_second']:8.0f} req/s  {figures['cpu_us']:5.1f} us CPU  "
            f"p50 {figures['p50_ms']:5.2f}  p99 {figures['p99_ms']:6.2f} ms  {figures['memory_mb']:4.0f} MB  "
            f"ratio {ratio:.2f}, by CPU {work:.2f}"
        )
    paced = [gateway_round("info", seconds, 10_000) for _ in range(rounds)]
    print(
        f"  gateway, paced at 10,000/s     {middle([p['per_second'] for p in paced]):8.0f} req/s  "
        f"p50 {middle([p['p50_ms'] for p in paced]):5.2f}  p99 {middle([p['p99_ms'] for p in paced]):6.2f} ms"
    )


if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:2]), *(float(arg) for arg in sys.argv[2:3]))
