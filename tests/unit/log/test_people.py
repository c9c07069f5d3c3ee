"""The directory of people: what it learns from the log, and the same answers before and after it has learnt."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.decision import Decision
from gateway.errors import LogError
from gateway.event import Event, Origin, Profile, dump
from gateway.log import people as module
from gateway.log.people import DirectoryFile
from gateway.log.port import Entry
from gateway.log.sqlite import Retention, SqliteLog

TO_NONE = Decision()
MINTERS: Mapping[str, Callable[[str], str] | None] = {"shop": lambda seed: f"01-{seed}", "app": None}


def event(profile: Profile, source: str = "shop") -> Entry:
    origin = Origin(name=source, vendor="klaviyo", endpoint="events")
    canonical = Event(
        id="e",
        kind="track",
        name="Seen",
        received_at=datetime(2026, 11, 21, tzinfo=UTC),
        source=origin,
        profile=profile,
    )
    return Entry("e", dump(canonical), TO_NONE)


def play(folder: Path, work: Callable[[SqliteLog, DirectoryFile], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        log = await SqliteLog.open(folder / "log.db", role="all", **settings)
        directory = await DirectoryFile.open(folder / "log.db.people", log, MINTERS)
        try:
            await work(log, directory)
        finally:
            await directory.close()
            await log.close()

    asyncio.run(run())


ANN = Profile(user_id="ann", email="Ann@Example.com", phone="+15550001", anonymous_id="a1", device_id="d1")


def test_a_person_is_found_by_every_identifier_and_back(tmp_path: Path) -> None:
    async def work(log: SqliteLog, directory: DirectoryFile) -> None:
        shop = directory.people("shop")
        assert shop.find(ANN) is None
        await log.append([event(ANN)])
        await directory.catch_up()
        known = shop.mint(ANN)
        for profile in (
            Profile(user_id="ann"),
            Profile(email="ann@EXAMPLE.com"),
            Profile(phone="+15550001"),
            Profile(anonymous_id="a1"),
            Profile(device_id="d1"),
            Profile(vendor_ids={"klaviyo": known}),
            Profile(user_id="unknown", email="ann@example.com"),
        ):
            assert shop.find(profile) == known
        assert shop.find(Profile(user_id="bob")) is None
        assert shop.find(Profile()) is None
        assert shop.get("unknown") is None
        assert shop.get(known) == Profile(
            user_id="ann", email="ann@example.com", phone="+15550001", anonymous_id="a1", device_id="d1",
            vendor_ids={"klaviyo": known},
        )  # fmt: skip

    play(tmp_path, work)


@pytest.mark.parametrize("source", ["shop", "app"])
@pytest.mark.parametrize(
    "profile",
    [
        ANN,
        Profile(email="Ann@Example.com"),
        Profile(device_id="d1"),
        Profile(vendor_ids={"klaviyo": "01OWN"}, email="x@example.com"),
        Profile(vendor_ids={"_kx": "token"}),
    ],
)
def test_the_id_that_is_minted_is_the_id_that_is_assigned(tmp_path: Path, source: str, profile: Profile) -> None:
    async def work(log: SqliteLog, directory: DirectoryFile) -> None:
        people = directory.people(source)
        promised = profile.vendor_ids.get("klaviyo") or people.mint(profile)
        assert promised
        await log.append([event(profile, source)])
        await directory.catch_up()
        assert people.find(profile) == people.mint(profile) == promised
        assert people.get(promised) is not None

    play(tmp_path, work)


def test_an_identifier_stays_with_its_first_person_and_the_newest_of_a_kind_is_shown(tmp_path: Path) -> None:
    async def work(log: SqliteLog, directory: DirectoryFile) -> None:
        shop = directory.people("shop")
        await log.append(
            [event(Profile(user_id="ann", email="a@x.org")), event(Profile(user_id="bob", email="b@x.org"))]
        )
        await log.append(
            [event(Profile(user_id="ann", email="new@x.org")), event(Profile(user_id="bob", email="a@x.org"))]
        )
        await directory.catch_up()
        ann, bob = shop.mint(Profile(user_id="ann")), shop.mint(Profile(user_id="bob"))
        assert ann != bob
        assert shop.find(Profile(email="a@x.org")) == shop.find(Profile(email="new@x.org")) == ann
        found = shop.get(ann)
        assert found is not None
        assert found.email == "new@x.org"
        await log.append([event(Profile(user_id="ann", email="a@x.org"))])
        await directory.catch_up()
        found = shop.get(ann)
        assert found is not None
        assert found.email == "a@x.org"

    play(tmp_path, work)


def test_sources_know_each_their_own_people(tmp_path: Path) -> None:
    async def work(log: SqliteLog, directory: DirectoryFile) -> None:
        await log.append([event(ANN), event(Profile(user_id="eve"), "unfollowed"), Entry("x", b"no event", TO_NONE)])
        await directory.catch_up()
        assert directory.people("shop").find(ANN)
        assert directory.people("app").find(ANN) is None
        assert directory.people("unfollowed").find(Profile(user_id="eve")) is None

    play(tmp_path, work)


def test_catch_up_knows_everything_appended_before_it(tmp_path: Path) -> None:
    async def one(log: SqliteLog, directory: DirectoryFile, number: int) -> None:
        profile = Profile(user_id=f"u{number}")
        await log.append([event(profile)])
        await directory.catch_up()
        assert directory.people("shop").find(profile)

    async def work(log: SqliteLog, directory: DirectoryFile) -> None:
        await asyncio.gather(*(one(log, directory, number) for number in range(700)))

    play(tmp_path, work)


def test_what_is_known_outlives_a_restart_and_pruning(tmp_path: Path) -> None:
    async def first(log: SqliteLog, directory: DirectoryFile) -> None:
        await log.append([event(Profile(user_id="u1"))])
        await directory.catch_up()

    async def second(log: SqliteLog, directory: DirectoryFile) -> None:
        await log.append([event(Profile(user_id="u2"))])
        await log.prune()
        assert (await log.status()).events == 1
        await directory.catch_up()
        assert all(directory.people("shop").find(Profile(user_id=name)) for name in ("u1", "u2"))

    play(tmp_path, first)
    play(tmp_path, second, retention=Retention(seconds=-1))


def test_it_follows_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.01)

    async def work(log: SqliteLog, directory: DirectoryFile) -> None:
        await log.append([event(ANN)])
        async with asyncio.timeout(20):
            while directory.people("shop").find(ANN) is None:  # noqa: ASYNC110  # a thread's doing
                await asyncio.sleep(0.01)

    play(tmp_path, work)


def test_a_busy_log_is_read_only_when_it_is_far_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 1000.0)
    monkeypatch.setattr(module, "QUIET", 2)
    monkeypatch.setattr(module, "BEHIND", 5)
    monkeypatch.setattr(module, "PAUSE_S", 0.0)

    async def work(log: SqliteLog, directory: DirectoryFile) -> None:
        people = directory.people("shop")
        await log.append([event(ANN)] * 3)
        await directory._look()
        assert people.find(ANN) is None
        await log.append([event(ANN)] * 3)
        await directory._look()
        assert people.find(ANN) is not None
        await log.append([event(Profile(user_id="bob"))])
        await directory._look()
        assert people.find(Profile(user_id="bob")) is not None

    play(tmp_path, work)


def test_two_processes_share_what_they_learn(tmp_path: Path) -> None:
    async def work(log: SqliteLog, directory: DirectoryFile) -> None:
        other = await DirectoryFile.open(tmp_path / "log.db.people", log, MINTERS)
        for number in range(50):
            await log.append([event(Profile(user_id=f"u{number}", device_id="shared"))])
            await asyncio.gather(directory.catch_up(), other.catch_up())
        ids = [
            {people.find(Profile(user_id=f"u{n}")) for n in range(50)}
            for people in (directory.people("shop"), other.people("shop"))
        ]
        assert ids[0] == ids[1]
        assert len(ids[0]) == 1
        await other.close()

    play(tmp_path, work)


def test_a_log_begun_anew_is_followed_from_its_start(tmp_path: Path) -> None:
    async def first(log: SqliteLog, directory: DirectoryFile) -> None:
        await log.append([event(ANN)] * 5)
        await directory.catch_up()

    async def second(log: SqliteLog, directory: DirectoryFile) -> None:
        await log.append([event(Profile(user_id="bob"))])
        await directory.catch_up()
        assert directory.people("shop").find(Profile(user_id="bob"))
        assert directory.people("shop").find(ANN)

    play(tmp_path, first)
    (tmp_path / "log.db").unlink()
    play(tmp_path, second)


@pytest.mark.parametrize("content", [b"not a database, but long enough to look at" * 100, None])
def test_a_file_that_is_no_directory_is_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "log.db.people"
    if content is None:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.close()
    else:
        path.write_bytes(content)

    async def run() -> None:
        log = await SqliteLog.open(tmp_path / "log.db", role="all")
        try:
            with pytest.raises(LogError, match="directory of people"):
                await DirectoryFile.open(path, log, MINTERS)
        finally:
            await log.close()

    asyncio.run(run())
