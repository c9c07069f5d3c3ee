"""The rows of the directory of people, and how they are learnt from events."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import LogError
from gateway.event import Profile
from gateway.log.schema import BUSY_S

Keys = tuple[tuple[str, str], ...]
"""(kind, value) of each identifier, the strongest first."""

_FIELDS: Final = ("user_id", "email", "phone", "anonymous_id", "device_id")
_VENDOR: Final = "vendor:"
"""Before the name under which `Profile.vendor_ids` holds an id."""
_MAX_RECENT: Final = 20_000
_LONGEST: Final = 1_000
"""Bytes of a profile that is remembered as it was written."""

APPLICATION_ID: Final = 0x47575050
"""Marks a SQLite file as a directory of people ("GWPP")."""
_VERSION: Final = 1
TABLES: Final = (
    """CREATE TABLE people (
        id INTEGER PRIMARY KEY, source TEXT NOT NULL, vendor_id TEXT NOT NULL, UNIQUE (source, vendor_id))
    """,
    # `seq`: the event it was last seen in.
    """CREATE TABLE identifiers (
        source TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, person INTEGER NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (source, kind, value)) WITHOUT ROWID
    """,
    "CREATE INDEX identifiers_of ON identifiers (person, seq)",
    "CREATE TABLE place (seq INTEGER NOT NULL)",
    "INSERT INTO place VALUES (0)",
)


def identifiers(profile: "Profile | _Who", own: str | None = None) -> Keys:
    """Return a profile's identifiers; of the vendors' ids, the one under the name `own` is first."""
    ids = profile.vendor_ids
    names = sorted(ids, key=lambda name: (name != own, name))
    made = [(_VENDOR + name, ids[name]) for name in names if ids[name]]
    held = [(field, value) for field in _FIELDS if (value := getattr(profile, field))]
    return (*made, *((field, value.lower() if field == "email" else value) for field, value in held))


def seed(source: str, keys: Keys) -> str:
    """Return what a new person's id is made from: the source and the strongest identifier of the client's own."""
    strongest = next((key for key in keys if not key[0].startswith(_VENDOR)), keys[0] if keys else ())
    return "\x1f".join((source, *strongest))


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit mode."""
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def prepare(path: Path) -> None:
    """Create the file if need be.

    Raises:
        LogError: it is something else, or was written by a newer program.
        sqlite3.Error: it cannot be used.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and (mark, version) != (APPLICATION_ID, _VERSION):
            raise LogError(f"{path} is no directory of people that this program knows")
        if not tables:
            for statement in TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={_VERSION}")
        connection.execute("COMMIT")
    finally:
        connection.close()


def place(connection: sqlite3.Connection) -> int:
    """Return up to where the log is known."""
    (seq,) = connection.execute("SELECT seq FROM place").fetchone()
    return int(seq)


def find(connection: sqlite3.Connection, source: str, keys: Keys) -> str | None:
    """Return the vendor id of the first identifier that is known."""
    person = _person(connection, source, keys)
    return None if person is None else str(person[1])


def _person(connection: sqlite3.Connection, source: str, keys: Keys) -> tuple[int, str] | None:
    for kind, value in keys:
        row: tuple[int, str] | None = connection.execute(
            "SELECT p.id, p.vendor_id FROM identifiers i JOIN people p ON p.id = i.person"
            " WHERE i.source = ? AND i.kind = ? AND i.value = ?",
            (source, kind, value),
        ).fetchone()
        if row is not None:
            return row
    return None


def profile(connection: sqlite3.Connection, source: str, vendor_id: str) -> Profile | None:
    """Return the identifiers of a person, the newest of each kind."""
    found = connection.execute(
        "SELECT id FROM people WHERE source = ? AND vendor_id = ?", (source, vendor_id)
    ).fetchone()
    if found is None:
        return None
    rows = connection.execute("SELECT kind, value FROM identifiers WHERE person = ? ORDER BY seq", found)
    newest = dict(rows.fetchall())
    vendor_ids = {kind.removeprefix(_VENDOR): newest.pop(kind) for kind in [*newest] if kind.startswith(_VENDOR)}
    return Profile(**newest, vendor_ids=vendor_ids)


# --- learning --------------------------------------------------------------------------------------------


class _Origin(Struct):
    name: str
    vendor: str


class _Who(Struct, frozen=True):
    user_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None
    phone: str | None = None
    device_id: str | None = None
    vendor_ids: dict[str, str] = {}


class _Seen(Struct):
    """What the directory reads of an event."""

    source: _Origin
    profile: msgspec.Raw = msgspec.Raw(b"{}")


_decode = msgspec.json.Decoder(_Seen).decode
_who = msgspec.json.Decoder(_Who).decode


class Learner:
    """Writes what events say about people, one call at a time.

    Args:
        connection: its own.
        minted: for the name of a source and its vendor, what makes the id of a new person; None: events of that source
            are passed over.
    """

    def __init__(
        self, connection: sqlite3.Connection, minted: Callable[[str, str], Callable[[Keys], str] | None]
    ) -> None:
        self._connection = connection
        self._minted = minted
        self._recent: dict[tuple[str, tuple[str, str]], Keys] = {}
        self._written: dict[tuple[str, str, bytes], Keys] = {}

    def restart(self) -> None:
        """Begin at the start of another log; people stay known."""
        self._connection.execute("UPDATE place SET seq = 0")

    def learn(self, rows: Sequence[tuple[int, bytes]]) -> int:
        """Learn from events; returns up to where the log is now known, which may be further."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            known = self.take(rows)
            connection.execute("COMMIT")
        except BaseException:
            self.forget()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return known

    def take(self, rows: Sequence[tuple[int, bytes]]) -> int:
        """Do the same within an open transaction; whoever rolls it back calls `forget`."""
        known = place(self._connection)
        for seq, body in rows:
            if seq > known:
                self._meet(seq, body)
        known = max(known, rows[-1][0])
        self._connection.execute("UPDATE place SET seq = ?", (known,))
        return known

    def forget(self) -> None:
        """Take nothing for written any more."""
        self._recent.clear()

    def _meet(self, seq: int, body: bytes) -> None:
        try:
            seen = _decode(body)
            source = seen.source.name
            mint = self._minted(source, seen.source.vendor)
            if mint is None:
                return
            keys = self._keys(source, seen)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        if not keys or self._recent.get((source, keys[0])) == keys:
            return
        self._remember(source, seen.source.vendor, keys, mint, seq)
        if len(self._recent) >= _MAX_RECENT:
            self._recent.clear()
        self._recent[source, keys[0]] = keys

    def _keys(self, source: str, seen: _Seen) -> Keys:
        """Return an event's identifiers; those of a profile that was met a moment ago are not read again."""
        text = bytes(seen.profile)
        written = (source, seen.source.vendor, text)
        keys = self._written.get(written)
        if keys is None:
            keys = identifiers(_who(text), seen.source.vendor)
            if len(text) <= _LONGEST:
                if len(self._written) >= _MAX_RECENT:
                    self._written.clear()
                self._written[written] = keys
        return keys

    def _remember(self, source: str, vendor: str, keys: Keys, mint: Callable[[Keys], str], seq: int) -> None:
        own = _VENDOR + vendor
        given = keys[0][1] if keys[0][0] == own else None
        person = _person(self._connection, source, keys[:1] if given else keys)
        row = person[0] if person else self._add(source, given or mint(keys), own, seq)
        self._connection.executemany(
            "INSERT INTO identifiers VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET seq = excluded.seq WHERE person = excluded.person",
            [(source, kind, value, row, seq) for kind, value in keys],
        )

    def _add(self, source: str, vendor_id: str, own: str, seq: int) -> int:
        """Return the row of the person with this id, made if need be."""
        self._connection.execute(
            "INSERT INTO people (source, vendor_id) VALUES (?, ?) ON CONFLICT DO NOTHING", (source, vendor_id)
        )
        (row,) = self._connection.execute(
            "SELECT id FROM people WHERE source = ? AND vendor_id = ?", (source, vendor_id)
        ).fetchone()
        self._connection.execute(
            "INSERT INTO identifiers VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (source, own, vendor_id, row, seq)
        )
        return int(row)
