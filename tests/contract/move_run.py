"""Moves of a log for tests: what both engines hold is played in, moved, seen and compared."""

import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.errors import LogError
from gateway.log import replays
from gateway.log.engine import Engine
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.jetstream.settings import JetStreamSettings
from gateway.log.port import Role, Settlement
from gateway.log.sqlite import SqliteLog
from gateway.migration.logs import Outcome, Progress, carry_over, stream_side
from gateway.migration.logs.sqlite_side import SqliteSide
from gateway.migration.logs.stream_side import StreamSide
from tests.contract.log_harness import TO_BOTH, TO_CRM, TO_NONE, JetStreamHarness, entry, key, letter, parked

TARGETS: Final = ["crm", "mail"]
ENGINES: Final = ("sqlite", "jetstream")
WINDOW_S: Final = 86_400.0
stream_side.QUIET_S = 0.2  # type: ignore[misc]  # nobody delivers in these tests
stream_side.PATIENCE_S = 0.5  # type: ignore[misc]


class Places:
    """A folder with a place for a log of each engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sqlite = folder / "data" / "gateway.db"

    def stream(self, number: int = 0) -> JetStreamSettings:
        """Return the settings of a node."""
        return JetStreamHarness(self.folder).settings(number)

    async def open(self, engine: str, role: Role = "all", number: int = 0, **more: Any) -> Engine:
        """Open a log."""
        if engine == "sqlite":
            return await SqliteLog.open(self.sqlite, role=role, **more)
        return await JetStreamLog.open(self.stream(number), role=role, **more)

    async def move(self, source: str, **more: Any) -> Outcome:
        """Move the log of an engine to the other; more is for the settings of the stream."""
        async with AsyncExitStack() as stack:
            old = await self.side(stack, source, source=True, **more)
            new = await self.side(stack, other(source), source=False, **more)
            return await carry_over(old, new, self.sqlite.with_name("gateway.db.move"), Progress())

    async def side(
        self, stack: AsyncExitStack, engine: str, *, source: bool, looking: bool = False, **more: Any
    ) -> Any:
        """Take hold of a log, or look at it."""
        side: Any
        if engine == "sqlite":
            side = await SqliteSide.open(self.sqlite, source=source, looking=looking)
        else:
            settings = msgspec.structs.replace(self.stream(), **more)
            side = await StreamSide.open(settings, source=source, looking=looking, window_s=WINDOW_S)
        stack.push_async_callback(side.close)
        return side


def other(engine: str) -> str:
    """Return the other engine."""
    return ENGINES[1 - ENGINES.index(engine)]


async def fill(log: Engine, name: str = "e") -> None:
    """Have a log hold everything that one can hold: two targets at places of their own, with all that waits or died."""
    await log.register(TARGETS)
    for number in range(40):
        decision = (TO_BOTH, TO_BOTH, TO_CRM, TO_NONE)[number % 4]
        await log.append([entry(f"{name}{number}", decision, key(f"{name}{number % 30}"))])
    await log.append([entry(f"{name}-once", key=key(f"{name}once"), once_s=1_200.0)])
    await log.append([entry(f"{name}-ever", key=key(f"{name}ever"), once_s=4e9)])
    records, _ = await log.read("crm", await log.cursor("crm"), 8, 1 << 20)
    a, b, c, d, e, f, g, _ = (record.seq for record in records)
    waiting = [parked(b, "ann", 5.5), parked(d, "ann", 7.5, attempts=4, reason="429"), parked(e, "bob", 1e10)]
    dead = [letter(c, event_id=f"{name}2", request=b"\x00{", status=400, answer=b"no"), letter(f), letter(g)]
    await log.settle("crm", Settlement(cursor=g, delivered=1, park=waiting, dead=dead))
    letters = await log.dead_letters(target="crm")
    await log.retry_dead([letters[0].id])
    await log.drop_dead([letters[1].id], "tests")
    job = await log.begin_replay("crm", '{"since":"1h"}', 0.25, (0, g))
    await log.replay(replays.Step(job.id, 0, b, 2, [replays.Again(a, "ann", "all")], {"no": 1}))
    [seen, *_] = (await log.read("mail", await log.cursor("mail"), 3, 1 << 20))[0]
    await log.settle("mail", Settlement(cursor=seen.seq, delivered=1))


async def seen(log: Engine) -> dict[str, Any]:
    """Return all that a log shows of what it holds."""
    lanes = {target: await log.parked_lanes(target) for target in TARGETS}
    return {
        "status": await log.status(),
        "lanes": lanes,
        "parked": [await log.parked(target, lane, 100) for target in TARGETS for lane in sorted(lanes[target])],
        "dead": await log.dead_letters(limit=1000),
        "events": await log.scan(0, 100_000, 1 << 30),
        "waiting": {target: await waiting(log, target) for target in TARGETS},
        "replays": await log.replays(),
        "shares": [await log.replay_share(target) for target in TARGETS],
    }


async def filled(here: Places, engine: str) -> dict[str, Any]:
    """Have a log with everything in it, closed; return what it shows."""
    log = await here.open(engine)
    await fill(log)
    shown = await seen(log)
    await log.close()
    return shown


async def shown(here: Places, engine: str, number: int = 0) -> dict[str, Any]:
    """Return what a log shows."""
    log = await here.open(engine, "inspect", number)
    try:
        return await seen(log)
    finally:
        await log.close()


async def usable(here: Places, engine: str) -> dict[str, Any] | None:
    """Return what a log shows, None when it is empty or refuses to be opened."""
    try:
        log = await here.open(engine, "inspect")
    except LogError:
        return None
    try:
        return await seen(log) if (await log.status()).targets else None
    finally:
        await log.close()


async def waiting(log: Engine, target: str) -> list[tuple[int, bytes, str]]:
    """Return what a target would read."""
    found: list[tuple[int, bytes, str]] = []
    after = await log.cursor(target)
    while True:
        records, place = await log.read(target, after, 7, 1 << 20)
        found += [(record.seq, record.body, record.rule) for record in records]
        if place == after:
            return found
        after = place


def rows(path: Path, query: str) -> list[Any]:
    """Return what a query finds in a file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()
