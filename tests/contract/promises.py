"""Checks that hold for every vendor's answers, events and requests."""

import importlib.util
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import ModuleType
from typing import Any, Final

import msgspec

from gateway import event as canonical
from gateway.adapter import Adapter, Encoded, Inbound, Outbound, Reply, Request, Settings, default_options
from gateway.event import Event, Kind
from gateway.inbound.routes import Source
from tests.contract.adapter_cases import SOURCE, Outcome, home, request

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, section 5.6.2)."""
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_JSON: Final = re.compile(r"application/([\w.+-]+\+)?json\b")


def check_reply(reply: Reply) -> None:
    """Make sure that an answer is HTTP, and is what its content type says."""
    assert 200 <= reply.status <= 599
    for name, value in reply.headers:
        assert _TOKEN.fullmatch(name), name
        assert _VALUE.fullmatch(value), value
        assert name.lower() != b"content-length", "the core counts"
    if reply.status in (204, 304):
        assert reply.body == b""
    if reply.body and _JSON.match(_content_type(reply)):
        parsed(reply.body)


def _content_type(reply: Reply) -> str:
    return next((value.decode() for name, value in reply.headers if name.lower() == b"content-type"), "")


def parsed(body: bytes) -> Any:
    """Return a JSON body; NaN and Infinity are no JSON."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(body, parse_constant=refuse)


def check_events(adapter: Adapter, outcome: Outcome) -> None:
    """Make sure that decoded events can be stored, and say truly where they came in."""
    for event in outcome.events:
        assert canonical.load(canonical.dump(event)) == event
        assert outcome.endpoint is not None
        assert (event.source.name, event.source.vendor) == (SOURCE, adapter.slug)
        assert event.source.endpoint == outcome.endpoint.name
    assert len({event.id for event in outcome.events}) == len(outcome.events)


def written(value: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()


def same_shape(expected: Any, actual: Any) -> bool:
    """Tell whether a value has every member of another, of the same type."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(k in actual and same_shape(v, actual[k]) for k, v in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and all(map(same_shape, expected, actual)) and len(expected) == len(actual)
    return expected is None or actual is None or _type(expected) is _type(actual)


def _type(value: Any) -> type:
    return float if type(value) is int else type(value)


# --- outbound --------------------------------------------------------------------------------------------


def credentials(adapter: Adapter) -> dict[str, str]:
    """Return credentials of every declared name."""
    return {entry.name: f"test-{entry.name}" for entry in adapter.credentials}


def settings_of(adapter: Adapter) -> Settings:
    """Return what encoders are told in these tests."""
    return Settings(target="crm", credentials=credentials(adapter), options=default_options(adapter.target_options))


def kinds_of(adapter: Adapter, out: Outbound) -> list[Kind]:
    """Return the kinds an endpoint is called with: its own, or those of the calls that it prepares."""
    called = [out, *(other for other in adapter.outbound if other.prepare == out.name)]
    return sorted({kind for other in called for kind in other.kinds})


def address(out: Outbound, encoded: Encoded) -> str:
    """Return path and query of a request."""
    return encoded.path or out.path


def check_encoded(out: Outbound, requests: Iterable[Encoded], events: int) -> None:
    """Make sure that every event is carried once, within the limits, in bodies that are what their type says."""
    requests = list(requests)
    carried = Counter(index for encoded in requests for index in encoded.events)
    assert carried == Counter(range(events))
    for encoded in requests:
        assert 0 < len(encoded.events) <= out.max_events
        assert len(encoded.body) <= out.max_body
        assert address(out, encoded).startswith("/")
        if encoded.body:
            parsed(encoded.body)
        assert {loss.event for loss in encoded.lost} <= set(encoded.events)
        assert all(loss.reason for loss in encoded.lost)


def decode_back(adapter: Adapter, out: Outbound, encoded: Encoded) -> Outcome:
    """Return what the vendor's own inbound half makes of a request."""
    path = address(out, encoded)
    headers = out.headers({**credentials(adapter), "token": "test-token"})
    asked = request(adapter, {"method": out.method, "path": path, "headers": headers})
    asked.body = encoded.body
    entry = inbound_of(adapter, out, asked)
    asked.account = credentials(adapter)
    decoded = entry.decode(asked)
    return Outcome(True, decoded.reply, tuple(decoded.events), entry)


def inbound_of(adapter: Adapter, out: Outbound, asked: Request) -> Inbound:
    """Return the endpoint that stands in for what an outbound endpoint calls."""
    found = Source(SOURCE, adapter, ()).endpoint(out.method, asked.path)
    assert found is not None, f"nothing of {adapter.slug} answers {out.method} {asked.path}"
    asked.params = found.params
    return found.endpoint


# --- events compared -------------------------------------------------------------------------------------


def builtins(event: Event) -> dict[str, Any]:
    """Return an event as builtins, with its Decimals and times."""
    tree: dict[str, Any] = msgspec.to_builtins(event, builtin_types=(Decimal, datetime))
    return tree


def leaves(event: Event, *parts: str) -> dict[str, Any]:
    """Return the leaves of some parts of an event by path; a part that holds nothing has none."""
    tree = {part: value for part, value in builtins(event).items() if part in parts and value != {}}
    return dict(canonical.leaves(tree))


def covered(path: str, lost: Iterable[str]) -> bool:
    """Tell whether a path, or what it lies in, is among those lost."""
    return any(path == name or path.startswith((f"{name}.", f"{name}[")) for name in lost)


def comparable(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return events without what differs from request to request."""
    return [{k: v for k, v in builtins(event).items() if k not in ("id", "source", "received_at")} for event in events]


# --- equalities ------------------------------------------------------------------------------------------


@cache
def _equalities(slug: str) -> ModuleType:
    path = home(slug) / "tests" / "equalities.py"
    spec = importlib.util.spec_from_file_location(f"_equalities_{slug}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def items(slug: str, endpoint: str, body: bytes) -> Counter[str]:
    """Return the items of a body in the form in which the vendor counts them as equal.

    `normalise(endpoint, body)` takes parsed JSON and gives their list, or an object whose only list they are, or one
    value.
    """
    value = _equalities(slug).normalise(endpoint, parsed(body))
    if isinstance(value, Mapping) and len(value) == 1 and isinstance(next(iter(value.values())), list):
        value = next(iter(value.values()))
    rows = value if isinstance(value, list) else [value]
    return Counter(json.dumps(_plain(row), sort_keys=True) for row in rows)


def _plain(value: Any) -> Any:
    """Return JSON in which 2 and 2.0 are the same number."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def numbers(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the upper-case names of a module and what they hold, tuples taken apart."""
    for name, value in vars(module).items():
        if name.isupper():
            yield from ((name, part) for part in (value if isinstance(value, tuple) else (value,)))
