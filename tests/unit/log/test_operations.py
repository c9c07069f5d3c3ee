"""Every operation survives being written down, and does the same when it is done from there."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js.errors import APIError

from gateway.decision import Decision
from gateway.errors import LogError
from gateway.log import operations
from gateway.log.jetstream import messages
from gateway.log.jetstream.messages import VERSION, Message, Packer, Written
from gateway.log.jetstream.stream import not_stored
from gateway.log.operations import OPERATIONS
from gateway.log.port import DeadLetter, Entry, Parked, Settlement
from gateway.log.prune import Retention
from gateway.log.replays import Again, Step

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
places = st.integers(-(2**40), 2**62)
counts = st.integers(0, 2**40)
times = st.floats(0, 1e11)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # as it asks
parked = st.builds(Parked, places, text, times, counts, text, times)
letters = st.builds(
    DeadLetter, target=text, seq=places, event_id=text, rule=text, body=st.binary(max_size=50), reason=text,
    died_at=moments, attempts=counts, lane=text, endpoint=st.none() | text, request=st.none() | st.binary(max_size=50),
    status=st.none() | st.integers(100, 599), answer=st.none() | st.binary(max_size=50), id=counts,
)  # fmt: skip
settlements = st.builds(
    Settlement, cursor=st.none() | places, delivered=counts, park=st.lists(parked, max_size=3),
    unpark=st.lists(places, max_size=3), dead=st.lists(letters, max_size=3),
    dropped=st.dictionaries(text, counts, max_size=3),
)  # fmt: skip
steps = st.builds(
    Step, counts, places, places, counts, st.lists(st.builds(Again, places, text, text), max_size=3),
    st.dictionaries(text, counts, max_size=3),
)  # fmt: skip

OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: text, int: places, float: times, int | None: st.none() | places, str | None: st.none() | text,
    Settlement: settlements, Step: steps, Sequence[str]: st.lists(text, max_size=3),
    Sequence[int]: st.lists(places, max_size=3), Sequence[DeadLetter]: st.lists(letters, max_size=3),
    tuple[int, int]: st.tuples(places, places), Mapping[int, str] | None: st.none() | st.dictionaries(counts, text),
    Mapping[str, bytes]: st.dictionaries(text, st.binary(max_size=50), max_size=3),
    Mapping[str, tuple[str, int] | None]: st.dictionaries(text, st.none() | st.tuples(text, counts), max_size=3),
    Retention: st.builds(Retention, times, counts),
}  # fmt: skip
decisions = st.builds(
    Decision,
    st.lists(st.tuples(text, text), max_size=3).map(tuple),
    st.lists(st.tuples(text, text), max_size=3).map(tuple),
)
keys = st.binary(min_size=16, max_size=16)
entries = st.builds(Entry, text, st.binary(max_size=50), decisions, st.none() | keys, st.none() | st.floats(1, 1e9))


@pytest.mark.parametrize("name", OPERATIONS)
def test_arguments_come_back_as_they_were(name: str) -> None:
    operation = OPERATIONS[name]

    @given(st.tuples(*(OF_TYPE[one] for one in operation.types)))
    def check(arguments: tuple[Any, ...]) -> None:
        assert operation.decode(operation.encode(*arguments)) == arguments

    check()


@given(st.lists(entries, max_size=5), st.floats(0, 1e6))
def test_entries_come_back_with_the_time_their_keys_count(given_entries: list[Entry], window_s: float) -> None:
    written = Packer(window_s).pack(given_entries)
    found = messages.load_batch(written)
    assert [(one.id, one.body, one.decision) for one in found] == [
        (one.id, one.body, one.decision) for one in given_entries
    ]
    for one, before in zip(found, given_entries, strict=True):
        counts_for = window_s if before.once_s is None else before.once_s
        assert one.dedupe == (before.dedupe if counts_for else None)
        assert one.once_s == (counts_for if one.dedupe else None)


@given(st.lists(entries, min_size=1, max_size=5))
def test_entries_take_up_no_more_than_they_weigh(given_entries: list[Entry]) -> None:
    packer = Packer(60)
    assert len(bytes(packer.pack(given_entries).arguments)) <= packer.weigh(given_entries)


@given(text, counts, st.none() | counts, st.lists(st.binary(max_size=20)))
def test_a_message_comes_back(node: str, number: int, at: int | None, arguments: list[bytes]) -> None:
    raws = [msgspec.Raw(msgspec.msgpack.encode(one)) for one in arguments]
    message = Message(VERSION, node, number, at, [Written("hold", raw) for raw in raws])
    found = messages.load(messages.dump(message))
    assert (found.node, found.number, found.at) == (node, number, at)
    assert [bytes(one.arguments) for one in found.operations] == [bytes(raw) for raw in raws]


@pytest.mark.parametrize("data", [b"", b"{}", b"\x95\x01", msgspec.msgpack.encode((VERSION + 1, "n", 1, None, []))])
def test_what_is_no_message_of_this_program_is_refused(data: bytes) -> None:
    with pytest.raises(LogError, match="holds a message"):
        messages.load(data)


def test_what_cannot_be_written_down_is_refused() -> None:
    with pytest.raises(LogError, match="cannot be stored"):
        operations.REGISTER.encode(["crm", "\ud800"])
    with pytest.raises(LogError, match="cannot be stored"):
        operations.DROP.encode([1 << 80], "too large")
    with pytest.raises(TypeError, match="arguments"):
        operations.HOLD.encode("one")  # type: ignore[call-arg]
    wrong: Any = "no bytes"
    for bad in (Entry("e", wrong, Decision()), Entry("e", b"", Decision(), b"short")):
        with pytest.raises(LogError):
            Packer(60).weigh([bad])
    with pytest.raises(LogError, match="cannot be stored"):
        Packer(60).pack([Entry("\ud800", b"", Decision())])


@pytest.mark.parametrize(
    ("code", "err_code", "for_sure"),
    [(503, 10077, True), (500, 10047, True), (400, 10054, True), (409, 10158, False), (503, 10008, False)],
    ids=["full", "no storage", "too large", "the first one is in process", "no leader"],
)
def test_only_some_answers_say_for_sure_that_nothing_is_stored(code: int, err_code: int, for_sure: bool) -> None:
    assert not_stored(APIError(code, "", err_code)) is for_sure
