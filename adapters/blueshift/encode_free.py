"""Free values of an event (properties, traits): they share the one flat level, and give way where a key is taken."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final

from gateway.adapter import Event, Loss, losses_below

from . import products
from .names import put_aside
from .row import BECOMES_PROPERTY, BECOMES_TRAIT, OF_PERSONS, Kept, Written
from .wire import CONTROL, LONGEST_KEY, SLUG, VOCABULARY, is_blank, is_private, meaning

_Judge = Callable[[str], str | None]
"""Tells why a key of another vendor's free value is not free in Blueshift, None when it is."""


def write_free(event: Event, kept: Kept, written: Written, *, customer: bool) -> None:
    """Write properties and traits, and what was set aside, beside the values that are written already."""
    if kept.keep:
        _restore(kept, written.body)
    if event.properties:
        judge = None if kept.native else _judge_of_properties(event, written.body)
        _fill(_properties(event, kept), "properties", "property_", judge, written)
    if event.profile.traits:
        judge = None if kept.native else _judge_of_traits(event, customer=customer)
        _fill(event.profile.traits, "profile.traits", "trait_", judge, written)
    if event.residue:
        _report_residue(event, kept, written.lost)


def _restore(kept: Kept, out: dict[str, Any]) -> None:
    for key, value in kept.keep.items():
        if key not in out and (key not in _SPELLED or is_blank(value)):
            out[key] = value


_SPELLED: Final = frozenset({"timestamp", "event_uuid", "joined_at", "date_of_birth"})
"""Kept for their spelling; without the value that they spell, they say nothing."""


def _properties(event: Event, kept: Kept) -> Mapping[str, Any]:
    if event.kind != "alias":
        return event.properties
    out: dict[str, Any] = {}
    VOCABULARY.encode(event).table.lower_free("properties", event.properties, kept.raw, out)
    return out


def _judge_of_properties(event: Event, out: Mapping[str, Any]) -> _Judge:
    if event.kind in OF_PERSONS:
        return _becomes_trait
    return partial(_read_as, _tables_of(event, out))


def _judge_of_traits(event: Event, *, customer: bool) -> _Judge:
    if event.kind in OF_PERSONS:
        return partial(_read_as, ("customer" if customer else "identify",))
    return _becomes_property


def _becomes_trait(_: str) -> str:
    return BECOMES_TRAIT


def _becomes_property(_: str) -> str:
    return BECOMES_PROPERTY


def _tables_of(event: Event, out: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tables by which Blueshift's side reads an event that is written so far."""
    table = "alias" if event.kind == "alias" else "event"
    no_product = out.keys().isdisjoint(products.FLAT_IDS) and event.properties.keys().isdisjoint(products.FLAT_IDS)
    return (table,) if no_product else (table, "flat")


def _read_as(tables: tuple[str, ...], key: str) -> str | None:
    """Return why a free key is not free where Blueshift reads by these tables; None: it is."""
    return _known(tables, key) if len(key) <= LONGEST_KEY else _reason(tables, key)


@lru_cache(maxsize=4_096)
def _known(tables: tuple[str, ...], key: str) -> str | None:
    """Cached for keys that a table could hold: a client's longer ones must not fill the memory."""
    return _reason(tables, key)


def _reason(tables: tuple[str, ...], key: str) -> str | None:
    if is_private(key):
        return "Blueshift keeps keys of such names for itself."
    if key in products.MARKS:
        return "Blueshift takes it for a product."
    for table in tables:
        read = meaning(table, key)
        if read is not None:
            return f"Blueshift takes it for {read}."
    return None


def _fill(
    values: Mapping[str, Any],
    at: str,
    prefix: str,
    judge: _Judge | None,
    written: Written,
) -> None:
    """Write free values under their own keys; those of another vendor are reported where Blueshift reads them so."""
    out = written.body
    for key, value in values.items():
        if key in out or (judge and key in CONTROL):
            put_aside(out, key, value, prefix, f"{at}.{key}", written.lost)
            continue
        out[key] = value
        reason = judge(key) if judge else None
        if reason is not None:
            written.lost.append(Loss(0, f"{at}.{key}", "renamed", reason, key))


def _report_residue(event: Event, kept: Kept, lost: list[Loss]) -> None:
    if "segment" in kept.all:
        reason = "Blueshift's own Segment integration leaves it out."
        lost.append(Loss(0, f"residue.{SLUG}.segment", "dropped", reason))
    for vendor, held in event.residue.items():
        if vendor == SLUG:
            continue
        others = {key: value for key, value in held.items() if key != "raw"} if "raw" in held else held
        if others:
            reason = f"Only {vendor} knows what it means."
            lost += losses_below(others, f"residue.{vendor}", reason)
