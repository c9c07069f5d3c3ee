"""What the port promises of every adapter's outbound half: limits, losses, and the way back."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import groupby, product
from typing import Any, Final

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway import event as canonical
from gateway import translation
from gateway.adapter import Adapter, Encoded, EncodeError, Event, Outbound, Settings
from gateway.event import Commerce, Kind, Origin, Profile
from tests import strategies
from tests.contract import promises
from tests.contract.adapter_cases import Case, cases, everyone, partner, replay

ADAPTERS: Final = everyone()
OUTBOUND: Final = [(adapter, out) for adapter in ADAPTERS.values() for out in adapter.outbound]
ACCEPTED: Final = [case for slug in ADAPTERS for case in cases(slug) if case.expected.exists()]

every_outbound = pytest.mark.parametrize(("adapter", "out"), OUTBOUND, ids=[f"{a.slug}-{o.name}" for a, o in OUTBOUND])
every_choosy = pytest.mark.parametrize(
    ("adapter", "out"),
    [(adapter, out) for adapter, out in OUTBOUND if out.takes is not None],
    ids=[f"{adapter.slug}-{out.name}" for adapter, out in OUTBOUND if out.takes is not None],
)
KINDS: Final = [
    (a, kind) for a in ADAPTERS.values() for kind in canonical.KINDS if any(kind in o.kinds for o in a.outbound)
]
every_kind = pytest.mark.parametrize(("adapter", "kind"), KINDS, ids=[f"{a.slug}-{kind}" for a, kind in KINDS])
every_accepted = pytest.mark.parametrize("case", ACCEPTED, ids=[f"{case.vendor}-{case.path.stem}" for case in ACCEPTED])

some = settings(deadline=None, max_examples=25, phases=[Phase.explicit, Phase.generate])


def encode(adapter: Adapter, out: Outbound, events: Sequence[Event]) -> list[Encoded]:
    """Return the requests for events, checked; an event that cannot be expressed is known when it is alone."""
    requests = out.encode(events, promises.settings_of(adapter))
    promises.check_encoded(out, requests, len(events))
    return requests


# --- limits ----------------------------------------------------------------------------------------------


@st.composite
def sendable(draw: st.DrawFn, adapter: Adapter, out: Outbound, *, most: int = 6) -> list[Event]:
    """Draw events that an endpoint carries, under names known to the vendor and unknown ones."""
    kind: Kind = draw(st.sampled_from(promises.kinds_of(adapter, out)))
    known = [shape.name for shape in adapter.vocabulary.shapes() if shape.kind == kind]
    made_up = strategies.words.map(lambda word: f"Made {word}")
    names = st.sampled_from(known) | made_up if known else made_up
    events = draw(st.lists(strategies.shop_events(kind, names), min_size=1, max_size=most))
    return [event for event in events if _can_send(adapter, out, event)]


def _can_send(adapter: Adapter, out: Outbound, event: Event) -> bool:
    return _carries(adapter, out, event) and isinstance(_outcome(adapter, out, event), Encoded)


@every_outbound
@some
@given(data=st.data())
def test_every_event_is_carried_once_within_the_limits(adapter: Adapter, out: Outbound, data: st.DataObject) -> None:
    events = data.draw(sendable(adapter, out))
    assert encode(adapter, out, events) == encode(adapter, out, events)


@every_kind
@some
@given(event=strategies.events)
def test_any_event_is_carried_or_refused_with_a_reason(adapter: Adapter, kind: Kind, event: Event) -> None:
    """At every endpoint that can carry it: the core may use any of them."""
    given = msgspec.structs.replace(event, kind=kind)
    assert all(_outcome(adapter, out, given) for out in adapter.outbound if _carries(adapter, out, given))


@every_choosy
@some
@given(data=st.data())
def test_whether_an_endpoint_takes_an_event_is_told_of_any(
    adapter: Adapter, out: Outbound, data: st.DataObject
) -> None:
    """The same at every call; and of some event it is true, or the endpoint would carry nothing."""
    kind = data.draw(st.sampled_from(promises.kinds_of(adapter, out)))
    event = msgspec.structs.replace(data.draw(strategies.events), kind=kind)
    assert out.takes is not None
    answers = [
        out.takes(one, promises.settings_of(adapter)) for one in (event, event, canonical.load(canonical.dump(event)))
    ]
    assert answers in ([True] * 3, [False] * 3)
    assert out.takes(_plain(adapter, out, 1), promises.settings_of(adapter))


@every_choosy
@some
@given(events=st.lists(strategies.events, max_size=4))
def test_an_event_that_is_not_taken_is_never_encoded(adapter: Adapter, out: Outbound, events: list[Event]) -> None:
    events = [
        msgspec.structs.replace(event, id=f"{at}", kind=kind)
        for at, (event, kind) in enumerate(product(events, promises.kinds_of(adapter, out)))
    ]
    given: list[Event] = []

    def overheard(group: Sequence[Event], settings: Settings) -> list[Encoded]:
        given.extend(group)
        return out.encode(group, settings)

    ends = tuple(msgspec.structs.replace(one, encode=overheard) if one is out else one for one in adapter.outbound)
    translation.encode(events, msgspec.structs.replace(adapter, outbound=ends))
    assert all(_carries(adapter, out, event) for event in given)
    earlier = adapter.outbound[: adapter.outbound.index(out)]
    first = [
        e.id for e in events if _carries(adapter, out, e) and not any(_carries(adapter, one, e) for one in earlier)
    ]
    assert len(first) < out.pays_from or {event.id for event in given} >= set(first)


def _outcome(adapter: Adapter, out: Outbound, event: Event) -> Encoded | str:
    """Return the only request for an event, or why there is none."""
    try:
        (encoded,) = encode(adapter, out, [event])
    except EncodeError as error:
        return str(error)
    return encoded


def _carries(adapter: Adapter, out: Outbound, event: Event) -> bool:
    if not out.kinds:
        return any(_carries(adapter, other, event) for other in adapter.outbound if other.prepare == out.name)
    return out.carries(event, promises.settings_of(adapter))


def _plain(adapter: Adapter, out: Outbound, number: int, **more: Any) -> Event:
    """Return a simple event that an endpoint carries: of just now, else an order, else of a year ago."""
    event = Event(
        id=f"01900000-0000-7000-8000-{number:012x}",
        kind=promises.kinds_of(adapter, out)[0],
        name="Made up",
        received_at=strategies.RECEIVED,
        occurred_at=strategies.RECEIVED - timedelta(seconds=number),
        source=Origin(name="shop", vendor="elsewhere", endpoint="events"),
        profile=Profile(user_id=f"u{number}", email=f"u{number}@example.com", **more),
    )
    order = msgspec.structs.replace(
        event,
        kind="track",
        name="Order Completed",
        commerce=Commerce(order_id=f"o{number}", total=Decimal(9), currency="EUR"),
    )
    old = msgspec.structs.replace(event, occurred_at=strategies.RECEIVED - timedelta(days=365, seconds=number))
    return next(one for one in (event, order, old) if _carries(adapter, out, one))


@every_outbound
def test_more_events_than_a_request_holds_are_cut(adapter: Adapter, out: Outbound) -> None:
    events = [_plain(adapter, out, number) for number in range(2 * out.max_events + 1)]
    assert len(encode(adapter, out, events)) >= 3


@every_outbound
def test_more_bytes_than_a_request_holds_are_cut(adapter: Adapter, out: Outbound) -> None:
    words = {f"word{index}": "x" * 900 for index in range(20)}
    count = min(out.max_body // 18_000 + 2, 400)
    events = [_plain(adapter, out, number, traits=words) for number in range(count)]
    events = [msgspec.structs.replace(event, properties=words) for event in events]
    encode(adapter, out, events)


@every_outbound
def test_an_event_larger_than_a_request_is_refused_alone(adapter: Adapter, out: Outbound) -> None:
    """Or made smaller, which is a loss."""
    huge = {f"key{index}": "x" * 90_000 for index in range(out.max_body // 90_000 + 2)}
    event = msgspec.structs.replace(_plain(adapter, out, 1, traits=huge), properties=huge)
    outcome = _outcome(adapter, out, event)
    assert outcome.lost if isinstance(outcome, Encoded) else outcome


# --- losses ----------------------------------------------------------------------------------------------


@every_outbound
@some
@given(data=st.data())
def test_losses_name_what_the_event_has(adapter: Adapter, out: Outbound, data: st.DataObject) -> None:
    events = data.draw(sendable(adapter, out, most=3))
    for encoded in encode(adapter, out, events):
        for loss in encoded.lost:
            held = promises.leaves(events[loss.event], *Event.__struct_fields__)
            assert any(promises.covered(path, [loss.path]) for path in held), loss


CARRIED: Final = ("kind", "name", "occurred_at", "profile", "commerce", "consent", "context", "properties")


@every_outbound
@some
@given(data=st.data())
def test_what_is_not_lost_comes_back(adapter: Adapter, out: Outbound, data: st.DataObject) -> None:
    """Encoded, and decoded by the vendor's own inbound half, an event is what it was but for its losses.

    A free value may come back in another free place: many vendors have one level for all of them. One that has a name
    by which clients of that vendor call a field comes back as that field.
    """
    for event in data.draw(sendable(adapter, out, most=2)):
        if _speaks_like_a_client(adapter, event):
            continue
        (encoded,) = encode(adapter, out, [event])
        (back,) = promises.decode_back(adapter, out, encoded).events
        lost = [loss.path for loss in encoded.lost]
        kept = _kept_items(event, {loss.path for loss in encoded.lost if loss.outcome == "dropped"})
        found = {_renumbered(path, kept): value for path, value in promises.leaves(back, *CARRIED).items()}
        free = {_free(path): value for path, value in found.items()}
        changed = {
            path: (value, found.get(path))
            for path, value in promises.leaves(event, *CARRIED).items()
            if value not in (found.get(path), free.get(_free(path))) and not promises.covered(path, lost)
        }
        assert changed == {}, changed


def _speaks_like_a_client(adapter: Adapter, event: Event) -> bool:
    """Tell whether a free value is called like a field, in a spelling that the vendor understands and never uses."""
    shape = adapter.vocabulary.encode(event)
    items = event.commerce.items if event.commerce else ()
    named = [(shape.table, event.properties)]
    named += [(shape.lines.each, item.properties) for item in items if shape.lines]
    return any(
        (path := table.reads(name, value)) is not None and (path, name) not in table.paths()
        for table, free in named
        for name, value in free.items()
    )


def _kept_items(event: Event, dropped: Collection[str]) -> list[int]:
    """Return the places of the line items that were not dropped."""
    items = event.commerce.items if event.commerce else ()
    return [at for at in range(len(items)) if f"commerce.items[{at}]" not in dropped]


def _renumbered(path: str, kept: Sequence[int]) -> str:
    """Return a leaf's path as it was before line items were dropped: those behind took their places."""
    found = re.match(r"commerce\.items\[(\d+)](.*)", path)
    at = int(found[1]) if found else len(kept)
    return f"commerce.items[{kept[at]}]{found[2]}" if found and at < len(kept) else path


def _free(path: str) -> str | None:
    """Return what a free value is called, wherever it stands."""
    found = re.search(r"^(?:properties|profile\.traits|commerce\.items\[\d+]\.properties)\.(.*)", path)
    return found and found[1]


# --- there and back --------------------------------------------------------------------------------------


@every_accepted
def test_decoded_and_encoded_to_the_same_vendor_a_request_is_itself(case: Case) -> None:
    adapter = ADAPTERS[case.vendor]
    outcome = replay(adapter, case)
    assert outcome.endpoint is not None
    out = partner(adapter, outcome.endpoint)
    if out is None:
        _check_elsewhere(adapter, outcome.events)
        return
    sent = promises.items(case.vendor, outcome.endpoint.name, case.body)
    again = _again(adapter, out, outcome.events)
    if len(outcome.events) >= sent.total():
        assert again == sent
    assert again <= sent


def _again(adapter: Adapter, out: Outbound, events: Sequence[Event]) -> Counter[str]:
    requests = encode(adapter, out, events) if events else []
    assert [loss for encoded in requests for loss in encoded.lost] == []
    return sum((promises.items(adapter.slug, out.name, encoded.body) for encoded in requests), Counter())


def _check_elsewhere(adapter: Adapter, events: Sequence[Event]) -> None:
    """Send events of an endpoint that we do not call through those that we do: they must mean the same there.

    But for what is reported as lost. An event that no call of ours can express has no way there.
    """
    sendable = [one for one in events if any(_can_send(adapter, out, one) for out in adapter.outbound)]
    for _, group in groupby(sendable, key=lambda event: event.kind):
        sent = list(group)
        out = next(out for out in adapter.outbound if all(_carries(adapter, out, one) for one in sent))
        requests = encode(adapter, out, sent)
        for encoded in requests:
            for at, event in _came_back(adapter, out, encoded):
                lost = [loss.path for loss in encoded.lost if loss.event == at]
                assert _but(lost, event) == _but(lost, sent[at])


def _but(lost: Sequence[str], event: Event) -> dict[str, Any]:
    """Return the leaves of an event that are compared, without those lost."""
    (tree,) = promises.comparable([event])
    return {path: value for path, value in canonical.leaves(tree) if not promises.covered(path, lost)}


def _came_back(adapter: Adapter, out: Outbound, encoded: Encoded) -> Iterator[tuple[int, Event]]:
    return zip(encoded.events, promises.decode_back(adapter, out, encoded).events, strict=True)


@every_accepted
def test_no_other_vendor_is_told_a_vendors_residue(case: Case) -> None:
    """What has no canonical home stays with the vendor it came from."""
    for event in replay(ADAPTERS[case.vendor], case).events:
        for adapter in ADAPTERS.values():
            out = next((out for out in adapter.outbound if _carries(adapter, out, event)), None)
            if out is None or adapter.slug == case.vendor:
                continue
            bare = msgspec.structs.replace(event, residue={})
            assert _bodies(adapter, out, event) == _bodies(adapter, out, bare)


def _bodies(adapter: Adapter, out: Outbound, event: Event) -> bytes | str:
    outcome = _outcome(adapter, out, event)
    return outcome.body if isinstance(outcome, Encoded) else outcome


@every_outbound
def test_no_request_body_holds_a_credential(adapter: Adapter, out: Outbound) -> None:
    given = {name: f"5ecre7-{name}" for name in promises.credentials(adapter)}
    for encoded in out.encode(
        [_plain(adapter, out, 1)], msgspec.structs.replace(promises.settings_of(adapter), credentials=given)
    ):
        assert b"5ecre7-" not in encoded.body
