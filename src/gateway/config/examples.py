"""The examples beside a rule: what they give and expect, and what is wrong with how they are written.

What `given` leaves out of an event is filled in: kind ``track``, a fixed id and time, the source that the rule names
first, or else the first configured one. What is expected are events of which every part may be left out.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Struct

from gateway.config.model import Config
from gateway.errors import Problem
from gateway.event import Event
from gateway.routing import Rule
from gateway.routing.entries import ExampleEntry
from gateway.routing.rules import is_glob
from gateway.shape_check import problems, unknown
from gateway.yamlfile import Document, Place

REQUEST: Final = "request"
"""The key of an expected mapping that stands for the body of the request to the vendor."""
ID: Final = "01900000-0000-7000-8000-000000000001"
RECEIVED_AT: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)


class RequestFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A vendor's request in a file of its own, as ``gateway translate`` takes it."""

    file: str
    source: str | None = None


def request_file(example: ExampleEntry) -> RequestFile | None:
    """Return the file that an example gives instead of an event."""
    return msgspec.convert(example.given, RequestFile) if "file" in example.given else None


def given_event(example: ExampleEntry, rule: Rule, config: Config) -> Event:
    """Return the event that an example gives."""
    return msgspec.convert(_completed(example.given, rule, config), Event)


def first_source(rule: Rule, config: Config) -> str:
    """Return the source that a rule names first, or else the first configured one."""
    asked = rule.match.source
    several = [asked] if isinstance(asked, str) else asked or []
    return next((name for name in several if not is_glob(name)), next(iter(config.sources), ""))


def _completed(given: Mapping[str, Any], rule: Rule, config: Config) -> dict[str, Any]:
    origin = given.get("source", first_source(rule, config))
    if isinstance(origin, str):
        origin = {"name": origin}
    if isinstance(origin, Mapping):
        source = config.sources.get(origin["name"]) if isinstance(origin.get("name"), str) else None
        origin = {"vendor": source.vendor if source else "", "endpoint": "example", **origin}
    return {"id": ID, "kind": "track", "received_at": RECEIVED_AT, **given, "source": origin}


# --- what is expected ------------------------------------------------------------------------------------


def expected_event(expected: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is expected of an event; times and amounts are what they are there."""
    return plain(msgspec.convert({k: v for k, v in expected.items() if k != REQUEST}, _partial(Event)))


def plain(value: Struct) -> dict[str, Any]:
    """Return a Struct as builtin values, but times and amounts, which stay; what says nothing is left out."""
    found: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(Decimal, datetime))
    return found


@cache
def _partial(kind: Any) -> Any:
    """Return a type like one of an event's, of which every part may be left out or said to be nothing."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        parts = [(f.encode_name, Union[_partial(f.type), None], UNSET) for f in msgspec.structs.fields(kind)]  # noqa: UP007
        return msgspec.defstruct(f"Some{kind.__name__}", parts, kw_only=True, frozen=True, forbid_unknown_fields=True)
    if get_origin(kind) is tuple:
        return tuple[_partial(get_args(kind)[0]), ...]  # type: ignore[misc]  # the type is made at run time
    if get_origin(kind) in (Union, UnionType):
        return Union[tuple(_partial(option) for option in get_args(kind))]  # noqa: UP007
    return kind


@cache
def _expected() -> type[Struct]:
    bases = (_partial(Event),)
    return msgspec.defstruct("Expected", [(REQUEST, Any, UNSET)], bases=bases, kw_only=True, frozen=True)


# --- checks ----------------------------------------------------------------------------------------------


def check_examples(rule: Rule, document: Document, place: Place, config: Config) -> Iterator[Problem]:
    """Yield what is wrong with how a rule's examples are written.

    Args:
        place: where the rule stands.
    """
    for index, example in enumerate(rule.examples):
        at = (*place, "examples", index)
        yield from _check_given(example, rule, document, (*at, "given"), config)
        if not example.sends and not example.exactly:
            yield document.problem(at, "an example needs 'sends' or 'exactly': target -> what is expected there")
        for key, targets in (("sends", example.sends), ("exactly", example.exactly)):
            for target, expected in targets.items():
                yield from _check_target(target, example, key, document, at, config)
                yield from _check_expected(expected, example, document, (*at, key, target))


def _check_given(example: ExampleEntry, rule: Rule, document: Document, at: Place, config: Config) -> Iterator[Problem]:
    given = example.given
    if "file" in given:
        yield from problems(document, given, RequestFile, at)
        yield from _check_source(given.get("source"), document, (*at, "source"), config)
        return
    origin = given.get("source")
    inner = isinstance(origin, Mapping)
    name = origin.get("name") if isinstance(origin, Mapping) else origin
    yield from _check_source(name, document, (*at, "source", "name") if inner else (*at, "source"), config)
    whole = _completed(given, rule, config)
    wrong = list(problems(document, whole, Event, at))
    yield from wrong or _check_times(plain(msgspec.convert(whole, Event)), document, at)


def _check_source(name: Any, document: Document, at: Place, config: Config) -> Iterator[Problem]:
    if isinstance(name, str) and name not in config.sources:
        yield document.problem(at, f"no source is called {name!r}; {unknown(name, list(config.sources))}")


def _check_target(
    target: str, example: ExampleEntry, key: str, document: Document, at: Place, config: Config
) -> Iterator[Problem]:
    place = (*at, key, target)
    if target not in config.targets:
        text = f"no target is called {target!r}; {unknown(target, list(config.targets))}"
        yield document.problem(place, text, at_key=True)
    if key == "exactly" and target in example.sends:
        yield document.problem(place, f"the target {target!r} stands in 'sends' as well", at_key=True)


def _check_expected(expected: Any, example: ExampleEntry, document: Document, at: Place) -> Iterator[Problem]:
    if isinstance(expected, list):
        if "file" not in example.given:
            yield document.problem(at, "the example gives one event, so a mapping or null is expected for each target")
            return
        for index, one in enumerate(expected):
            yield from _check_one(one, document, (*at, index))
    else:
        yield from _check_one(expected, document, at)


def _check_one(expected: Any, document: Document, at: Place) -> Iterator[Problem]:
    if expected is None:
        return
    wrong = list(problems(document, expected, _expected(), at))
    yield from wrong or _check_times(expected_event(expected), document, at)


def _check_times(value: Any, document: Document, at: Place) -> Iterator[Problem]:
    """Yield the times that leave open which hour they mean."""
    if isinstance(value, datetime) and value.tzinfo is None:
        yield document.problem(at, "a time needs a zone, as in 2026-11-21T12:00:00Z")
    elif isinstance(value, (dict, list, tuple)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _check_times(inner, document, (*at, key))
