"""How the timeline of an event is told to a person."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
import msgspec

from gateway.receipts import AtTarget, Timeline, stored
from gateway.receipts.files import Files
from gateway.receipts.kept import Attempt, moment

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Duration(click.ParamType[float]):
    """A number with its unit, as ``90m``; its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)([smhd])", str(value))
        if match is None:
            self.fail(f"{value!r} is no duration; write 30s, 90m, 24h or 7d", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


# --- the text --------------------------------------------------------------------------------------------

_LONG: Final = 4_000
"""Characters of a text that are shown; --json shows all that is kept."""


def lines(found: Sequence[Timeline], *, repeats_s: float) -> Iterator[str]:
    """Yield what there is to tell of events.

    Args:
        repeats_s: how long a client's key counts.
    """
    for number, one in enumerate(found):
        if number:
            yield ""
        yield from _event(one, repeats_s)
        for target in one.targets:
            yield ""
            yield from _target(target)


def _event(one: Timeline, repeats_s: float) -> Iterator[str]:
    event = one.event
    yield f"Event {one.id}" + (f": {event.kind} {event.name!r}" if event is not None else "")
    if event is None:
        yield f"Accepted about {_when(one.accepted_at)}"
    else:
        origin = event.source
        spoken = f", revision {origin.revision}" if origin.revision else ""
        by = f"by the source {origin.name!r} ({origin.vendor}, {origin.endpoint}{spoken})"
        yield f"Accepted {_when(event.received_at)} {by}, stored {_when(one.accepted_at)}"
        if event.dedupe_key:
            until = _when(one.accepted_at + timedelta(seconds=repeats_s))
            yield f"The client's key is {event.dedupe_key!r}: its repeats until {until} are duplicates and not stored"
        yield from _indented(_json(event))
    yield from (f"note: {note}" for note in one.notes)


def _target(one: AtTarget) -> Iterator[str]:
    by = f", by the rule {one.rule!r}" if one.rule else ""
    yield f"To {one.target}{by}: {_outcome(one)}"
    for number, attempt in enumerate(one.attempts):
        yield from _attempt(attempt)
        if number == 0 and one.left_out:
            yield f"  ... {one.left_out} more ..."


def _outcome(one: AtTarget) -> str:
    if one.outcome == "delivered":
        return f"delivered {_when(one.at)} ({one.why})"
    if one.outcome == "dead":
        return f"dead letter {one.dead_letter} since {_when(one.at)}: {one.why}"
    if one.outcome == "waiting":
        return f"waits until {_when(one.until)}: {one.why}"
    if one.outcome == "queued":
        return f"queued: {one.why}"
    if one.outcome == "dropped":
        return f"dropped{f' {_when(one.at)}' if one.at else ''}: {one.why}"
    return f"not known: {one.why}"


def _attempt(one: Attempt) -> Iterator[str]:
    if one.method is None:
        yield f"  {_when(one.at)}  {one.status}: {one.why}"
        return
    place = f", {one.position} of the {one.events} events" if one.events > 1 else ""
    yield f"  {_when(one.at)}  {one.status}: {one.why} (attempt {one.attempt}, {one.endpoint}, {one.ms:g} ms{place})"
    if one.path is None:
        yield "    its texts were not kept: there were too many at once"
        return
    yield f"    {one.method} {one.path}" + _cut(one.request, one.request_bytes)
    yield from _indented(_text(one.request), 6) if one.request else ()
    if one.request is None:
        yield "      it was not sent"
    if one.answer is not None:
        yield f"    answer{'' if one.http is None else f' {one.http}'}" + _cut(one.answer, one.answer_bytes)
        yield from (f"      {name}: {value}" for name, value in one.headers.items())
        yield from _indented(_text(one.answer), 6) if one.answer else ()


def _cut(text: str | None, size: int | None) -> str:
    kept = len((text or "").encode())
    return f" (the first {kept} of {size} bytes)" if size is not None and text and kept < size - _MASKED else ""


_MASKED: Final = 1024
"""Bytes by which a whole text may be shorter than it was, because secrets are blotted out."""


def _text(text: str) -> str:
    """Return a text as it is shown: JSON indented, and no more than so much of it."""
    try:
        shown = msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, ValueError):
        shown = text
    return shown if len(shown) <= _LONG else f"{shown[:_LONG]}\n... ({len(shown) - _LONG} more characters: --json)"


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _indented(text: str, by: int = 2) -> Iterator[str]:
    return iter(textwrap.indent(text, " " * by).splitlines())


def _when(at: datetime | None) -> str:
    return "at an unknown time" if at is None else at.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds")[:23]


def not_found(files: Files, wanted: str, since: float) -> str:
    """Return where an event was looked for in vain."""
    first = stored.oldest(files.log)
    begins = "the log holds no event" if first is None else f"the log begins at {_when(moment(first))} UTC"
    as_id = "by its id" if stored.made_at(wanted.lower()) is not None else "not as an id, which it is none of"
    reach = _when(datetime.now(UTC) - timedelta(seconds=since))
    return (
        f"no event {wanted!r} was found: looked for {as_id}, and as a client's key among the events accepted since"
        f" {reach} UTC (--since); {begins}. A repeat of a client's key is counted as a duplicate and not stored"
    )
