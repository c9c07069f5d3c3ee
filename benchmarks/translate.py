"""Translation in process: a 738-byte event of one vendor to a request of another, for every pair of adapters.

python -m benchmarks.translate
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from timeit import Timer
from typing import Any

from benchmarks.load import KEY, body
from benchmarks.machine import describe, middle
from gateway import registry
from gateway.adapter import Adapter, Decoded, Event, Outbound, Request, Settings, default_options
from gateway.ids import uuid7
from gateway.inbound.routes import Source, normal_path
from gateway.testing.standin import MemoryPeople
from gateway.translation import request_of

ROUNDS = 5
NUMBER = 2_000
ROOT = Path(__file__).parents[1]


def klaviyo_request() -> dict[str, Any]:
    """Return the request that the load generator sends."""
    headers = {"Authorization": f"Klaviyo-API-Key {KEY}", "revision": "2026-07-15"}
    return {"method": "POST", "path": "/api/events", "headers": headers, "body": json.loads(body(0))}


def sample(adapter: Adapter) -> dict[str, Any]:
    """Return a request in an adapter's dialect: the benchmark's own, or the recorded one nearest in size."""
    if adapter.slug == "klaviyo":
        return klaviyo_request()
    folder = ROOT / "adapters" / adapter.slug / "tests" / "payloads"
    accepted = [path for path in folder.glob("*.json") if path.with_suffix(".event.json").exists()]
    bodies = [json.loads(path.read_text())["request"] for path in accepted]
    posts = [body for body in bodies if body["method"] == "POST" and isinstance(body["body"], dict)]
    return min(posts, key=lambda body: abs(len(json.dumps(body["body"])) - 738))


def prepared(adapter: Adapter) -> tuple[Any, Request]:
    """Return an adapter's decoder and a request for it."""
    request = request_of(sample(adapter))
    request.people = MemoryPeople(adapter)
    request.source = "bench"
    request.received_at = datetime.now(UTC)
    request.new_id = uuid7
    request.options = default_options(adapter.source_options)
    found = Source("bench", adapter, []).endpoint(request.method, normal_path(request.path))
    if found is None:
        raise RuntimeError(f"no endpoint for the sample of {adapter.slug}")
    request.params = found.params
    return found.endpoint.decode, request


def outbound(adapter: Adapter, event: Event, settings: Settings) -> Outbound:
    """Return the endpoint for single events like this one."""
    return next(out for out in adapter.outbound if out.pays_from == 1 and out.carries(event, settings))


def times(origin: Adapter, goal: Adapter) -> tuple[float, float]:
    """Return microseconds to decode an event of the one vendor, and to encode it for the other."""
    decode, request = prepared(origin)
    first: Decoded = decode(request)
    options = default_options(goal.target_options)
    settings = Settings(target="bench", credentials={c.name: "x" for c in goal.credentials}, options=options)
    events = first.events[:1]
    out = outbound(goal, events[0], settings)
    return _fastest(lambda: decode(request)), _fastest(lambda: out.encode(events, settings))


def _fastest(work: Callable[[], Any]) -> float:
    """Return microseconds of CPU for one call."""
    return min(Timer(work, timer=process_time).repeat(ROUNDS, NUMBER)) / NUMBER * 1e6


def main() -> None:
    """Measure and print."""
    import orjson

    text = body(0)
    floor = min(Timer(lambda: orjson.dumps(orjson.loads(text))).repeat(ROUNDS, NUMBER)) / NUMBER * 1e6
    print(f"translation of one event, in process; orjson loads + dumps of 738 bytes: {floor:.1f} us; {describe()}")
    known = registry.adapters()
    taken = []
    for origin in known.values():
        for goal in known.values():
            decoding, encoding = times(origin, goal)
            taken.append(decoding + encoding)
            print(
                f"  {origin.slug:>10} -> {goal.slug:10} {taken[-1]:6.1f} us"
                f"   decode {decoding:5.1f}, encode {encoding:5.1f}"
            )
    print(f"  median of {len(taken)} pairs    {middle(taken):6.1f} us, {middle(taken) / floor:.1f} times the reference")


if __name__ == "__main__":
    main()
