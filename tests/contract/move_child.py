"""Moves that are struck dead: ``python -m tests.contract.move_child FOLDER`` does as it is told, a line at a time.

Each line names the engine that is moved from and the number of the step before which the process dies: a change of a
SQLite file, of a file's name, or of anything on the servers. A process of its own does it, and the answer says what
became of it.
"""

import asyncio
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Any, Final

from nats.js.client import JetStreamContext

from gateway.errors import LogError
from gateway.log import schema
from tests.contract import nats_server
from tests.contract.log_harness import ROOT, entry
from tests.contract.move_run import Places, filled, other, shown, usable

_STATEMENTS: Final = (
    "BEGIN",
    "COMMIT",
    "VACUUM",
    "PRAGMA journal_mode=DELETE",
    "DELETE FROM once",
    "DROP TABLE applied",
)
_LOOKS: Final = (".INFO.", ".NAMES", ".LIST.")


def strike(number: int) -> None:
    """Have this process die before one of its steps."""
    left = number

    def come() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    connect = schema.connect

    def connected(*given: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*given, **named)
        connection.set_trace_callback(lambda statement: come() if statement.startswith(_STATEMENTS) else None)
        return connection

    schema.connect = connected
    pathlib.Path.replace = _before(come, pathlib.Path.replace)  # type: ignore[method-assign]
    JetStreamContext.publish = _before(come, JetStreamContext.publish)  # type: ignore[method-assign]
    asked = JetStreamContext._api_request

    async def ask(self: Any, subject: str, *given: Any, **named: Any) -> Any:
        if not any(look in subject for look in _LOOKS):
            come()
        return await asked(self, subject, *given, **named)

    JetStreamContext._api_request = ask  # type: ignore[method-assign, assignment]


def _before(come: Callable[[], None], work: Callable[..., Any]) -> Callable[..., Any]:
    def done(*given: Any, **named: Any) -> Any:
        come()
        return work(*given, **named)

    return done


def attempt(here: Places, engine: str, number: int) -> str:
    """Move a log in a process that dies before a step; return what became of it."""
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        strike(number)
        try:
            asyncio.run(here.move(engine))
            os.write(said, b"done")
        except LogError as error:
            os.write(said, str(error).encode())
        finally:
            os._exit(0)
    os.close(said)
    _, status = os.waitpid(child, 0)
    answer = os.read(heard, 4096).decode()
    os.close(heard)
    return "killed" if os.WIFSIGNALED(status) else answer or "crashed"


class Striker:
    """The process that makes the attempts; `end` it."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def attempt(self, engine: str, number: int) -> str:
        """Return what became of a move that was to die before a step: ``killed``, ``done``, or why it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{engine} {number}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def killed_on_its_way(here: Places, engine: str, steps: Iterable[int], meanwhile: Container[int] = ()) -> list[str]:
    """Fill a log and move it, killed before one step after the other, until a move comes to its end.

    Each attempt goes on from where the one before was killed. After each at most one of the two logs can be used, and
    that one has everything; so has the new one in the end.

    Args:
        here: where both logs are.
        engine: that of the log to fill.
        steps: before which the attempts die.
        meanwhile: after which attempts the old log takes in another event, if it can be used.

    Returns:
        What became of each attempt.
    """
    nats_server.shared()
    striker = Striker(here.folder)
    answers: list[str] = []

    async def run() -> None:
        before = await filled(here, engine)
        for step in steps:
            answers.append(await asyncio.to_thread(striker.attempt, engine, step))
            assert answers[-1] in ("killed", "done")
            there = [await usable(here, engine), await usable(here, other(engine))]
            assert [one for one in there if one is not None] in ([], [before]), answers
            if answers[-1] == "done":
                break
            if len(answers) in meanwhile and there[0]:
                log = await here.open(engine)
                await log.append([entry(f"meanwhile {len(answers)}")])
                await log.close()
                before = await shown(here, engine)
        assert there[1] == before
        assert (await here.move(engine)).already

    try:
        asyncio.run(run())
    finally:
        striker.end()
    return answers


if __name__ == "__main__":
    places = Places(Path(sys.argv[1]))
    for line in sys.stdin:
        source, step = line.split()
        print(attempt(places, source, int(step)), flush=True)
