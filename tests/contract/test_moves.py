"""A log that is moved to the other engine: nothing is lost, doubled or out of order, and only one can be used."""

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import nats
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.errors import LogError, LogLocked, LogUnavailable
from gateway.event import ConsentChange, Event, Origin, Profile, dump
from gateway.log.engine import Engine
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.port import Entry, Role, Settlement
from gateway.log.prune import Retention
from gateway.migration.logs import look, sqlite_side, stream_side, take_back
from tests.contract import nats_server
from tests.contract.log_harness import bodies, entry, key
from tests.contract.move_child import killed_on_its_way
from tests.contract.move_run import ENGINES, TARGETS, WINDOW_S, Places, fill, filled, other, rows, seen, shown, usable

STRIDE = 3
"""Of the steps at which a move is killed; `scripts/soak moves` takes each."""


@pytest.fixture
def here(tmp_path: Path) -> Places:
    return Places(tmp_path)


def play(story: Callable[[], Awaitable[None]]) -> None:
    """Run a story; none takes a minute."""

    async def timed() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(timed())


# --- what goes along -------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_moved_log_shows_what_the_old_one_did_and_goes_on(here: Places, engine: str) -> None:
    async def story() -> None:
        before = await filled(here, engine)
        outcome = await here.move(engine)
        assert outcome.status == before["status"]
        log = await here.open(other(engine))
        assert await seen(log) == before
        again = [entry("e7 again", key=key("e7")), entry("once again", key=key("eonce"), once_s=9.0)]
        await log.append([entry("new", key=key("new")), *again, entry("ever", key=key("eever"), once_s=9.0)])
        await log.append([entry("new again", key=key("new"))])
        after = await seen(log)
        assert [body for _, body in after["events"][len(before["events"]) :]] == [b"new"]
        for old, new in zip(before["status"].targets, after["status"].targets, strict=True):
            assert (new.accepted, new.duplicate, new.missing) == (old.accepted + 5, old.duplicate + 4, 0)
        for target in TARGETS:
            assert after["waiting"][target] == [*before["waiting"][target], after["waiting"][target][-1]]
            assert after["waiting"][target][-1][1] == b"new"
        [job] = after["replays"]
        assert (await log.cancel_replay(job.id), (await log.replays())[0].state) == (True, "cancelled")
        await log.close()

    play(story)


def test_forth_and_back_and_forth_into_the_same_places(here: Places) -> None:
    async def story() -> None:
        await filled(here, "sqlite")
        for turn, engine in enumerate(("sqlite", "jetstream", "sqlite", "jetstream")):
            before = await shown(here, engine)
            await here.move(engine)
            log = await here.open(other(engine))
            assert await seen(log) == before
            await log.append([entry(f"turn {turn}.{number}") for number in range(3)])
            await log.settle("mail", Settlement(cursor=(await log.status()).head, delivered=1))
            await log.close()
        log = await here.open("sqlite")
        assert (await bodies(log, "mail"))[-12:] == [
            f"turn {turn}.{number}" for turn in range(4) for number in range(3)
        ]
        await log.close()

    play(story)


def test_every_node_begins_with_all_of_it_and_of_what_came_since(here: Places) -> None:
    async def story() -> None:
        before = await filled(here, "sqlite")
        await here.move("sqlite")
        assert await shown(here, "jetstream", 1) == before
        one = await here.open("jetstream", number=1)
        await one.append([entry("since")])
        two = await here.open("jetstream", number=2)
        assert await seen(two) == await seen(one)
        assert (await bodies(two, "crm"))[-1] == "since"
        await one.close()
        await two.close()

    play(story)


def test_clients_own_keys_count_as_long_as_they_would_have(here: Places) -> None:
    async def story() -> None:
        await filled(here, "sqlite")
        known = {key_: at for at, keys in rows(here.sqlite, "SELECT at, keys FROM keys") for key_ in _cut(keys)}
        ever = dict(rows(here.sqlite, "SELECT key, until FROM once"))
        await here.move("sqlite")
        await (await here.open("jetstream")).close()
        until = dict(rows(here.stream().view, "SELECT key, until FROM once"))
        assert until == {**{key_: at + WINDOW_S * 1000 for key_, at in known.items()}, **ever}
        await here.move("jetstream")
        back = {key_: at for at, keys in rows(here.sqlite, "SELECT at, keys FROM keys") for key_ in _cut(keys)}
        assert {key_: at // 1000 for key_, at in back.items() if key_ in known} == {
            key_: at // 1000 for key_, at in known.items()
        }
        assert max(back.values()) <= time.time() * 1000
        assert {key_: end for key_, end in rows(here.sqlite, "SELECT key, until FROM once") if key_ in ever} == ever

    play(story)


def _cut(keys: bytes) -> list[bytes]:
    return [keys[start : start + 16] for start in range(0, len(keys), 16)]


ANN = Profile(user_id="ann", email="ann@example.com")
VENDORS = {"klaviyo": lambda seed: f"made of {seed[5:]}"}


def told(number: int, profile: Profile, *changes: ConsentChange) -> Entry:
    """Return an event of a person, to be stored."""
    origin = Origin(name="shop", vendor="klaviyo", endpoint="events")
    moment = datetime(2026, 11, 21, minute=number, tzinfo=UTC)
    event = Event(
        id=f"e{number}", kind="track", name="Seen", received_at=moment, source=origin, profile=profile, consent=changes
    )
    return entry(f"e{number}", body=dump(event))


async def know(here: Places, engine: str, number: int = 0, *events: Entry, forget: bool = True) -> tuple[Any, ...]:
    """Have a gateway take events; return under which id it knows Ann by her address alone, and if mails are allowed.

    Args:
        forget: whether the log keeps none of the events, so that what is known is not to be had from them.
    """
    more: dict[str, Any] = {"minters": VENDORS} if engine == "jetstream" else {}
    log = await here.open(engine, number=number, retention=Retention(seconds=0), **more)
    directory, permissions = await log.directory({"shop": VENDORS["klaviyo"]}), await log.permissions()
    await log.append(events)
    await directory.catch_up()
    await permissions.catch_up()
    known = directory.people("shop").find(Profile(email="ann@example.com"))
    allowed = permissions.last_word(ANN, "email")
    await directory.close()
    await permissions.close()
    if forget:
        await log.prune()
        assert await log.scan(0, 10, 1 << 20) == []
    await log.close()
    return known, allowed


LIMITS = {"acme": {"at": 5.0, "clean": True, "slots": {"w": [[7.0, 3]]}, "pauses": {}}}


def beside(log: Path, what: str) -> Path:
    """Return where something stands beside a log."""
    return log.with_name(f"{log.name}.{what}")


def receipts(path: Path, *words: str) -> list[Any]:
    """Write words to a file of receipts, and return all that are in it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS said (word TEXT)")
        connection.executemany("INSERT INTO said VALUES (?)", [(word,) for word in words])
        connection.commit()
        return [word for (word,) in connection.execute("SELECT word FROM said")]


def test_what_the_log_no_longer_tells_of_people_is_known_to_every_node_and_back(here: Places) -> None:
    async def story() -> None:
        yes, no = (ConsentChange(channel="email", granted=granted) for granted in (True, False))
        known = await know(here, "sqlite", 0, told(1, ANN, yes))
        assert known == ("made of user_id\x1fann", True)
        await here.move("sqlite")
        assert [await know(here, "jetstream", number) for number in (0, 1)] == [known, known]
        assert await know(here, "jetstream", 1, told(2, ANN, no)) == (known[0], False)
        shutil.rmtree(here.sqlite.parent)  # on another machine
        await here.move("jetstream")
        assert await know(here, "sqlite") == (known[0], False)

    play(story)


def test_what_nobody_has_learnt_before_the_move_is_learnt_after_it(here: Places) -> None:
    async def story() -> None:
        log = await here.open("sqlite")
        await log.append([told(1, ANN, ConsentChange(channel="email", granted=True))])
        await log.close()
        await here.move("sqlite")
        log = await here.open("jetstream", minters=VENDORS)
        await log.append([told(2, Profile(user_id="ann", email="ann@example.com", phone="+15550001"))])
        await log.close()
        await here.move("jetstream")
        assert await know(here, "sqlite", forget=False) == ("made of user_id\x1fann", True)

    play(story)


def test_limits_and_receipts_of_this_machine_go_along(here: Places) -> None:
    async def story() -> None:
        await filled(here, "sqlite")
        of_log, of_node = beside(here.sqlite, "receipts"), beside(here.stream().view, "receipts")
        beside(here.sqlite, "limits").write_text(json.dumps(LIMITS))
        receipts(of_log, "first")
        await here.move("sqlite")
        log = await here.open("jetstream")
        assert isinstance(log, JetStreamLog)
        assert {account: json.loads(state) for account, state in (await log.limits()).items()} == LIMITS
        await log.close()
        assert receipts(of_node, "second") == ["first", "second"]
        beside(here.sqlite, "limits").unlink()
        await here.move("jetstream")
        assert json.loads(beside(here.sqlite, "limits").read_bytes()) == LIMITS
        assert receipts(of_log) == ["first", "second"]

    play(story)


def test_a_log_whose_places_have_gaps_is_read_in_few_steps(here: Places) -> None:
    async def story() -> None:
        log = await here.open("jetstream")
        await log.register(TARGETS)
        for number in range(300):
            await log.append([entry(f"e{number}")])
        await log.close()
        await here.move("jetstream")
        log = await here.open("sqlite")
        records, _ = await log.read("crm", await log.cursor("crm"), 1000, 1 << 20)
        assert len(records) == 300
        await log.close()

    play(story)


# --- kills -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_at_any_step_it_goes_on_and_never_are_two_logs_usable(here: Places, engine: str) -> None:
    answers = killed_on_its_way(here, engine, range(1, 1000, STRIDE), meanwhile=(2, 5))
    assert len(answers) > 5
    held, named = asyncio.run(bucket(here)) if engine == "sqlite" else (set(), set())
    assert held == named
    assert not here.sqlite.with_name("gateway.db.move").exists()


async def bucket(here: Places) -> tuple[set[str], set[str]]:
    """Return the pieces that the object store holds, and those that belong to something."""
    client = await nats.connect(nats_server.shared().url)
    try:
        name = f"{here.stream().stream}-snapshots"
        store = await client.jetstream().object_store(name)
        info = await client.jetstream().stream_info(f"OBJ_{name}", subjects_filter=f"$O.{name}.C.>")
        held = {subject.rpartition(".")[2] for subject in info.state.subjects or {}}
        return held, {str(one.nuid) for one in await store.list() if not one.deleted}
    finally:
        await client.close()


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_log_that_was_moved_says_so_and_where_to(here: Places, engine: str) -> None:
    async def story() -> None:
        await filled(here, engine)
        moved_to = (await here.move(engine)).goal
        for role in get_args(Role):
            with pytest.raises(LogError) as caught:
                await here.open(engine, role)
            assert f"was moved to {moved_to} on 20" in str(caught.value)
        assert (await here.move(engine)).already

    play(story)


@pytest.mark.parametrize("used", ENGINES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_log_in_use_is_neither_moved_nor_moved_to(here: Places, engine: str, used: str) -> None:
    async def story() -> None:
        before = await filled(here, engine)
        log = await here.open(used)
        with pytest.raises(LogLocked, match="in use by"):
            await here.move(engine)
        await log.close()
        await here.move(engine)
        assert await shown(here, other(engine)) == before

    play(story)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_holds_events_is_no_goal(here: Places, engine: str) -> None:
    async def story() -> None:
        before = await filled(here, engine)
        log = await here.open(other(engine))
        await log.append([entry("mine")])
        await log.close()
        with pytest.raises(LogError, match="holds events: a log can be moved only to where there is none"):
            await here.move(engine)
        assert await shown(here, engine) == before
        log = await here.open(other(engine), "inspect")
        assert [body for _, body in await log.scan(0, 10, 1 << 20)] == [b"mine"]
        await log.close()

    play(story)


def test_a_log_is_not_moved_to_where_another_move_is_not_finished(here: Places, tmp_path: Path) -> None:
    async def story() -> None:
        await filled(here, "sqlite")
        await here.move("sqlite")
        elsewhere = Places(here.folder)
        elsewhere.sqlite = tmp_path / "elsewhere" / "gateway.db"
        await filled(elsewhere, "sqlite")
        with pytest.raises(LogError, match="holds events"):
            await elsewhere.move("sqlite")
        with pytest.raises(LogError, match="there is no log"):
            await Places(tmp_path / "nowhere").move("sqlite")

    play(story)


def test_a_wrong_password_is_told_and_not_shown_and_changes_nothing(here: Places, tmp_path: Path) -> None:
    asks = "authorization { user: anna, password: hunter2 }\n"
    server = nats_server.Server(tmp_path / "asking", more=asks).start()
    known = {"servers": (server.url,), "user": "anna", "connect_s": 1.0}

    async def story() -> None:
        before = await filled(here, "sqlite")
        with pytest.raises(LogError, match="cannot reach the log's servers") as caught:
            await here.move("sqlite", **known, password="hunter3")
        assert "hunter" not in str(caught.value)
        assert await shown(here, "sqlite") == before
        await here.move("sqlite", **known, password="hunter2")

    try:
        play(story)
    finally:
        server.kill()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_look_tells_what_would_be_moved_while_it_is_used_and_changes_nothing(here: Places, engine: str) -> None:
    async def story() -> None:
        log = await here.open(engine)
        await fill(log)
        before = await seen(log)
        async with AsyncExitStack() as stack:
            old = await here.side(stack, engine, source=True, looking=True)
            new = await here.side(stack, other(engine), source=False, looking=True)
            found = await look(old, new)
        assert (found.status, found.already) == (before["status"], False)
        await log.append([entry("goes on")])
        await log.close()
        assert await usable(here, other(engine)) is None

    play(story)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_log_whose_successor_is_lost_can_be_used_again(here: Places, engine: str) -> None:
    async def again() -> None:
        async with AsyncExitStack() as stack:
            old = await here.side(stack, engine, source=True)
            new = await here.side(stack, other(engine), source=False, looking=True)
            await take_back(old, new)

    async def story() -> None:
        before = await filled(here, engine)
        with pytest.raises(LogError, match="was not moved"):
            await again()
        await here.move(engine)
        with pytest.raises(LogError, match="is not lost, and has what came since: move it back"):
            await again()
        await lose(here, other(engine))
        await again()
        assert await shown(here, engine) == before
        await here.move(engine)
        assert await shown(here, other(engine)) == before

    play(story)


def test_the_command_tells_what_it_did_and_takes_back_what_is_lost(here: Places) -> None:
    logs = {
        "sqlite": str(here.sqlite),
        "jetstream": {"servers": [nats_server.shared().url], "stream": here.stream().stream},
    }
    sources = {"shop": {"vendor": "klaviyo", "credentials": [{"private_key": "pk_1"}]}}
    for engine, log in logs.items():
        config = {"log": {engine: log}, "sources": sources}
        (here.folder / f"{engine}.yaml").write_bytes(msgspec.yaml.encode(config))

    def run(*options: str) -> Result:
        given = ["-c", str(here.folder / "sqlite.yaml"), "--config-to", str(here.folder / "jetstream.yaml"), *options]
        return CliRunner().invoke(main, ["migrate-log", "--to", "jetstream", *given])

    nothing = run()
    assert (nothing.exit_code, nothing.output) == (1, f"gateway: there is no log at {here.sqlite}\n")
    asyncio.run(filled(here, "sqlite"))
    assert "can be moved once no gateway runs" in run("--dry-run").output
    told = msgspec.json.decode(run("--json").stdout)
    assert (told["state"], [target["missing"] for target in told["log"]["targets"]]) == ("moved", [0, 0])
    assert "moved before" in run().output
    asyncio.run(lose(here, "jetstream"))
    assert run("--lost", "--dry-run").exit_code == 2
    assert "can be used again, as it was left" in run("--lost").output
    assert run("--dry-run").exit_code == 0


async def lose(here: Places, engine: str) -> None:
    """Have a log no more."""
    if engine == "sqlite":
        here.sqlite.unlink()
        return
    client = await nats.connect(nats_server.shared().url)
    await client.jetstream().delete_stream(here.stream().stream)
    await client.close()


# --- what happens meanwhile ------------------------------------------------------------------------------


def test_a_command_that_has_the_log_open_changes_nothing_from_the_copy_on(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.log.schema.BUSY_S", 0.1)

    async def story() -> None:
        before = await filled(here, "sqlite")
        command = await here.open("sqlite", "inspect")
        ids = [found.id for found in await command.dead_letters()]
        receive = stream_side.StreamSide.receive

        async def received(*given: Any) -> None:
            await receive(*given)
            with pytest.raises(LogUnavailable, match="locked"):
                await command.drop_dead(ids, "meanwhile")

        monkeypatch.setattr(stream_side.StreamSide, "receive", received)
        await here.move("sqlite")
        with pytest.raises(LogError, match="the log is being moved"):
            await command.drop_dead(ids, "afterwards")
        await command.close()
        assert await shown(here, "jetstream") == before

    play(story)


def test_a_node_that_nobody_saw_stores_nothing_once_the_stream_is_closed(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        await filled(here, "jetstream")
        receive = sqlite_side.SqliteSide.receive
        nodes: list[Engine] = []

        async def received(*given: Any) -> None:
            await receive(*given)
            if not nodes:
                nodes.append(await here.open("jetstream", number=1))
                await nodes[0].append([entry("late")])

        async def look_away(_: Any) -> None:
            """See nobody."""

        monkeypatch.setattr(sqlite_side.SqliteSide, "receive", received)
        monkeypatch.setattr(stream_side.StreamSide, "_refuse_while_used", look_away)
        await here.move("jetstream")
        with pytest.raises(LogUnavailable):
            await nodes[0].append([entry("too late")])
        await nodes[0].close()
        log = await here.open("sqlite")
        assert (await bodies(log, "crm"))[-1] == "late"
        await log.close()

    play(story)
