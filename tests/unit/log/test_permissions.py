"""The last word of each person, learned from the log."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.decision import Decision
from gateway.errors import LogError
from gateway.event import ConsentChange, Event, Origin, Profile, dump
from gateway.log.permissions import Permissions
from gateway.log.port import Entry
from gateway.log.sqlite import SqliteLog

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANN = Profile(user_id="ann", email="Ann@Example.com")


def said(profile: Profile, *changes: ConsentChange, minutes: int = 0) -> Entry:
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
    return Entry("e", dump(event), Decision())


def change(granted: bool, channel: str | None = "email", **more: Any) -> ConsentChange:
    return ConsentChange(granted=granted, channel=channel, **more)


def play(tmp_path: Path, story: Callable[[SqliteLog, Permissions], Awaitable[None]]) -> None:
    async def run() -> None:
        log = await SqliteLog.open(tmp_path / "log.db", role="all")
        permissions = await Permissions.open(tmp_path / "log.db.permissions", log)
        try:
            await story(log, permissions)
        finally:
            await permissions.close()
            await log.close()

    asyncio.run(run())


def test_nothing_is_known_of_a_stranger(tmp_path: Path) -> None:
    async def story(log: SqliteLog, permissions: Permissions) -> None:
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is None

    play(tmp_path, story)


@pytest.mark.parametrize("who", [Profile(user_id="ann"), Profile(email="ann@example.com"), ANN])
def test_the_newest_change_counts_under_any_identifier(tmp_path: Path, who: Profile) -> None:
    async def story(log: SqliteLog, permissions: Permissions) -> None:
        await log.append([said(ANN, change(True)), said(ANN, change(False), minutes=5)])
        await log.append([said(ANN, change(True), minutes=3)])
        await permissions.catch_up()
        assert permissions.last_word(who, "email") is False
        assert permissions.last_word(who, "sms") is None

    play(tmp_path, story)


def test_the_time_of_the_change_goes_before_that_of_its_event(tmp_path: Path) -> None:
    async def story(log: SqliteLog, permissions: Permissions) -> None:
        old = change(False, at=NOW - timedelta(days=9))
        await log.append([said(ANN, change(True)), said(ANN, old, minutes=5)])
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is True

    play(tmp_path, story)


def test_what_is_said_of_all_channels_counts_for_each(tmp_path: Path) -> None:
    async def story(log: SqliteLog, permissions: Permissions) -> None:
        await log.append([said(ANN, change(True)), said(ANN, change(False, None), minutes=1)])
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is False
        assert permissions.last_word(ANN, "sms") is False

    play(tmp_path, story)


def test_groups_are_kept_apart(tmp_path: Path) -> None:
    async def story(log: SqliteLog, permissions: Permissions) -> None:
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

    play(tmp_path, story)


def test_it_goes_on_where_it_stopped_and_keeps_the_log_till_then(tmp_path: Path) -> None:
    async def story(log: SqliteLog, permissions: Permissions) -> None:
        await log.append([said(ANN, change(True))])

    async def later(log: SqliteLog, permissions: Permissions) -> None:
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is True
        await log.append([Entry("x", b'no event "consent":', Decision()), said(ANN, change(False), minutes=1)])
        await permissions.catch_up()
        assert permissions.last_word(ANN, "email") is False

    play(tmp_path, story)
    play(tmp_path, later)


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        log = await SqliteLog.open(tmp_path / "log.db", role="all")
        (tmp_path / "folder").mkdir()
        with pytest.raises(LogError, match="cannot be used for permissions"):
            await Permissions.open(tmp_path / "folder", log)
        await log.close()

    asyncio.run(story())
