"""What stands for a client's own key, and for an event that counts once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from gateway.adapter import Once
from gateway.decision import Decision
from gateway.event import Event, Origin, Profile
from gateway.inbound.accept import LogStore, dedupe_of
from gateway.inbound.routes import Source
from gateway.log.port import Entry, Told
from tests.contract.adapter_cases import everyone

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVENT = Event(
    id="e1",
    kind="track",
    name="Order Completed",
    received_at=NOW,
    occurred_at=NOW,
    source=Origin(name="shop", vendor="acme", endpoint="events"),
    dedupe_key="k",
    profile=Profile(user_id="u1"),
    properties={"note": "first"},
)


def changed(**fields: Any) -> Event:
    return msgspec.structs.replace(EVENT, id="e2", received_at=NOW + timedelta(hours=1), **fields)


def same(other: Event, *scope: str) -> bool:
    return dedupe_of(EVENT, frozenset(scope)) == dedupe_of(other, frozenset(scope))


def test_an_event_without_a_key_is_never_a_duplicate() -> None:
    assert dedupe_of(changed(dedupe_key=None), frozenset()) is None


def test_the_same_key_is_the_same_event_whatever_it_says() -> None:
    assert same(changed(name="Other", properties={}, profile=Profile(user_id="u2")))
    assert not same(changed(dedupe_key="other"))


@pytest.mark.parametrize(
    ("scope", "fields"),
    [
        ("profile", {"profile": Profile(user_id="u2")}),
        ("name", {"name": "Order Cancelled"}),
        ("time", {"occurred_at": NOW + timedelta(milliseconds=1)}),
        ("content", {"properties": {"note": "second"}}),
        ("content", {"residue": {"acme": {"flag": 1}}}),
    ],
)
def test_a_key_counts_within_its_scope(scope: str, fields: dict[str, Any]) -> None:
    assert same(changed(**fields))
    assert not same(changed(**fields), scope)
    assert same(changed(), scope)


def test_what_counts_once_has_a_key_and_a_time_of_its_own() -> None:
    stored: list[Entry] = []

    class Log:
        def hand_over(self, entries: Sequence[Entry], told: Told) -> None:
            stored.extend(entries)

    store = LogStore(Log(), lambda event: Decision(), None)  # type: ignore[arg-type]  # all that is called
    source = Source("shop", everyone()["acme"], [])
    store.append(source, [EVENT, changed()], {"e2": Once("open:u1", 1200)}, lambda _: None)
    assert [entry.once_s for entry in stored] == [None, 1200]
    assert stored[0].dedupe == dedupe_of(EVENT, frozenset())
    assert stored[1].dedupe not in (None, stored[0].dedupe)
