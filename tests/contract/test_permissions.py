"""The last word of each person, learned from the log, whichever engine it has."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.decision import Decision
from gateway.errors import LogError
from gateway.event import ConsentChange, Event, Origin, Profile, dump
from gateway.log.engine import Engine
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.jetstream.view import Corrupt
from gateway.log.permissions import Permissions, PermissionsFile
from gateway.log.port import Entry
from gateway.log.prune import Retention
from gateway.log.sqlite import SqliteLog
from tests.contract.log_harness import ENGINES, Harness, JetStreamHarness

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANN = Profile(user_id="ann", email="Ann@Example.com")


def said(profile: Profile, *changes: ConsentChange, minutes: int = 0, key: bytes | None = None) -> Entry:
    event = Event(
        id="e",
        kind="track",
        name="Subscribed",
        received_at=NOW,
        occurred_at=NOW + timedelta(minutes=minutes),
        source=Origin(name="shop", vendor="acme", endpoint="events"),
        profile=profile,
        consent=changes,
    )
    return Entry("e", dump(event), Decision(), key)


def change(granted: bool, channel: str | None = "email", **more: Any) -> ConsentChange:
    return ConsentChange(granted=granted, channel=channel, **more)


@pytest.fixture(params=ENGINES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return ENGINES[request.param](tmp_path)


def play(harness: Harness, story: Callable[[Engine, Permissions], Awaitable[None]]) -> None:
    async def run() -> None:
        async with following(harness) as (log, permissions):
            await story(log, permissions)

    asyncio.run(run())


@asynccontextmanager
async def following(harness: Harness) -> AsyncIterator[tuple[Engine, Permissions]]:
    async with harness.opened() as log:
        assert isinstance(log, Engine)
        permissions = await log.permissions()
        try:
            yield log, permissions
        finally:
            await permissions.close()


def test_nothing_is_known_of_a_stranger(harness: Harness) -> None:
    async def story(log: Engine, permissions: Permissions) -> None:
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is None

    play(harness, story)


@pytest.mark.parametrize("who", [Profile(user_id="ann"), Profile(email="ann@example.com"), ANN])
def test_the_newest_change_counts_under_any_identifier(harness: Harness, who: Profile) -> None:
    async def story(log: Engine, permissions: Permissions) -> None:
        await log.append([said(ANN, change(True)), said(ANN, change(False), minutes=5)])
        await log.append([said(ANN, change(True), minutes=3)])
        await permissions.catch_up()
        assert permissions.last_word(who, "email") is False
        assert permissions.last_word(who, "sms") is None

    play(harness, story)


def test_the_time_of_the_change_goes_before_that_of_its_event(harness: Harness) -> None:
    async def story(log: Engine, permissions: Permissions) -> None:
        old = change(False, at=NOW - timedelta(days=9))
        await log.append([said(ANN, change(True)), said(ANN, old, minutes=5)])
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is True

    play(harness, story)


def test_what_is_said_of_all_channels_counts_for_each(harness: Harness) -> None:
    async def story(log: Engine, permissions: Permissions) -> None:
        await log.append([said(ANN, change(True)), said(ANN, change(False, None), minutes=1)])
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is False
        assert permissions.last_word(ANN, "sms") is False

    play(harness, story)


def test_groups_are_kept_apart(harness: Harness) -> None:
    async def story(log: Engine, permissions: Permissions) -> None:
        await log.append([said(ANN, change(True, group="news"), change(False, group="offers"))])
        await permissions.catch_up()
        assert [permissions.last_word(ANN, "email", group) for group in ("news", "offers", "other")] == [
            True,
            False,
            None,
        ]
        assert permissions.last_word(ANN, "email") is False, "of two at once the withdrawal counts"
        await log.append([said(ANN, change(True), minutes=1)])
        await permissions.catch_up()
        assert [permissions.last_word(ANN, "email", group) for group in ("offers", None)] == [True, True]

    play(harness, story)


def test_it_goes_on_where_it_stopped_and_keeps_the_log_till_then(harness: Harness) -> None:
    async def story(log: Engine, permissions: Permissions) -> None:
        await log.append([said(ANN, change(True))])

    async def later(log: Engine, permissions: Permissions) -> None:
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is True
        await log.append([Entry("x", b'no event "consent":[{', Decision()), said(ANN, change(False), minutes=1)])
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is False

    play(harness, story)
    play(harness, later)


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        log = await SqliteLog.open(tmp_path / "log.db", role="all")
        (tmp_path / "folder").mkdir()
        with pytest.raises(LogError, match="cannot be used for permissions"):
            await PermissionsFile.open(tmp_path / "folder", log)
        await log.close()

    asyncio.run(story())


def test_a_repeat_that_is_not_stored_says_nothing(harness: Harness) -> None:
    """A client's own key counts within one message and over several."""
    key = b"k" * 16

    async def story(log: Engine, permissions: Permissions) -> None:
        for entries in ([said(ANN, change(True), key=key), said(ANN, change(False), minutes=1, key=key)],
                        [said(ANN, change(False), minutes=2, key=key)]):  # fmt: skip
            await log.append(entries)
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is True

    play(harness, story)


def test_what_no_event_can_say_hurts_nobody(harness: Harness) -> None:
    """Garbage that looks like a permission is passed over, on every node alike."""
    broken = said(ANN, change(False), minutes=5).body.replace(b'"ann"', b'"\xff"')

    async def story(log: Engine, permissions: Permissions) -> None:
        await log.append([Entry("a", b'{"consent":[{', Decision()), Entry("b", broken, Decision())])
        await log.append([said(ANN, change(True))])
        await permissions.catch_up()
        assert permissions.last_word(Profile(user_id="ann"), "email") is True

    play(harness, story)


# --- nodes that share a log ------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path) -> JetStreamHarness:
    return JetStreamHarness(tmp_path)


def test_what_another_node_was_told_is_known_at_once(shared: JetStreamHarness) -> None:
    async def run() -> None:
        async with shared.opened() as one, following(shared) as (_, permissions):
            for number in range(20):
                await one.append([said(ANN, change(number % 2 == 0), minutes=number)])
                await permissions.catch_up()
                assert permissions.last_word(ANN, "email") is (number % 2 == 0)

    asyncio.run(run())


def test_a_new_node_knows_what_was_said_in_events_that_are_gone(shared: JetStreamHarness) -> None:
    async def run() -> None:
        async with shared.opened(retention=Retention(seconds=0)) as one:
            assert isinstance(one, JetStreamLog)
            await one.append([said(ANN, change(False))])
            shared.clock.now += 3600
            await one.prune()
            assert (await one.status()).events == 0
            for _ in range(3):
                await one.append([said(Profile(user_id="bob"), change(True))])
                await one.snapshot()
            async with following(shared) as (two, permissions):
                assert isinstance(two, JetStreamLog)
                await permissions.catch_up()
                assert permissions.last_word(ANN, "email") is False
                assert permissions.last_word(Profile(user_id="bob"), "email") is True

    asyncio.run(run())


def test_a_view_without_permissions_learns_them_from_the_events_it_has(shared: JetStreamHarness) -> None:
    async def run() -> None:
        async with shared.opened() as one:
            await one.append([said(ANN, change(True)), Entry("x", b'no event "consent":[{', Decision())])
            await one.register([])
        with closing(sqlite3.connect(shared.settings().view)) as older:
            older.execute("DROP TABLE said")
        async with following(shared) as (_, permissions):
            await permissions.catch_up()
            assert permissions.last_word(ANN, "email") is True

    asyncio.run(run())


def test_a_view_that_is_made_anew_is_read_anew(shared: JetStreamHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with following(shared) as (log, permissions), shared.opened() as other:
            assert isinstance(log, JetStreamLog)
            await other.append([said(ANN, change(True))])
            await permissions.catch_up()
            apply = log._view.apply

            def garbage(*_: Any) -> Any:
                monkeypatch.setattr(log._view, "apply", apply)
                raise Corrupt("database disk image is malformed")

            monkeypatch.setattr(log._view, "apply", garbage)
            await other.append([said(ANN, change(False), minutes=1)])
            await permissions.catch_up()
            assert permissions.last_word(ANN, "email") is False
            await other.append([said(ANN, change(True), minutes=2)])
            await permissions.catch_up()
            assert permissions.last_word(ANN, "email") is True

    asyncio.run(run())
