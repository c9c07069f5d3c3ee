"""What one message of the journal holds, and its bytes.

A message is the work of one node, whose messages are numbered. Its operations are done in order; appended events get
places by the message's place in the stream, `PLACES` for each message.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from gateway.decision import Decision
from gateway.errors import LogError
from gateway.log.dedupe import KEY_BYTES
from gateway.log.port import Entry

VERSION: Final = 1
PLACES: Final = 4096
"""Events of one message at most."""
APPEND: Final = "append"
OVERHEAD: Final = 64
"""Bytes that an event takes up in a message besides its id and body, at most."""
_MAX_REMEMBERED: Final = 4096

_encode = msgspec.msgpack.Encoder().encode


class Row(NamedTuple):
    """One appended event."""

    id: str
    body: bytes
    decision: int
    """Which of the batch's."""
    dedupe: bytes | None
    once_s: float | None
    """Seconds for which `dedupe` counts; always given with it."""


class Batch(Struct, array_like=True):
    """Events that are appended together."""

    decisions: list[Decision]
    rows: list[Row]


class Written(Struct, array_like=True):
    """One operation: its name and its arguments as it encodes them; those of `APPEND` are a `Batch`."""

    name: str
    arguments: msgspec.Raw


class Message(Struct, array_like=True):
    """Some operations of one node."""

    version: int
    node: str
    """Of one process; another one, or the same started again, has another."""
    number: int
    """Grows with each message of the node."""
    at: int | None
    """When it was sent, in Unix milliseconds; None: when the stream took it."""
    operations: list[Written]


_decode = msgspec.msgpack.Decoder(Message).decode
_decode_batch = msgspec.msgpack.Decoder(Batch).decode


def dump(message: Message) -> bytes:
    """Return a message's bytes."""
    return _encode(message)


def load(data: bytes) -> Message:
    """Return the message that `dump` wrote.

    Raises:
        LogError: it is of another version, or no message.
    """
    try:
        message = _decode(data)
    except msgspec.MsgspecError as error:
        raise LogError(f"holds a message that is none of a gateway: {error}") from error
    if message.version != VERSION:
        raise LogError(f"holds a message of version {message.version}: it was written by a newer gateway")
    return message


def load_batch(written: Written) -> list[Entry]:
    """Return the events of an append."""
    batch = _decode_batch(written.arguments)
    decisions = batch.decisions
    return [Entry(row.id, row.body, decisions[row.decision], row.dedupe, row.once_s) for row in batch.rows]


class Packer:
    """Makes appends of entries.

    Args:
        window_s: seconds for which a client's own key counts if the entry does not say; 0: not at all.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._encoded: dict[int, tuple[Decision, msgspec.Raw]] = {}

    def weigh(self, entries: Sequence[Entry]) -> int:
        """Return how many bytes entries take up in a message, at most.

        Raises:
            LogError: an entry is not what it should be: nobody could read it back.
        """
        size = 0
        decisions: set[int] = set()
        for entry in entries:
            if type(entry.body) is not bytes or type(entry.id) is not str or type(entry.decision) is not Decision:
                raise LogError(f"cannot be stored: {type(entry.id).__name__}, {type(entry.body).__name__}")
            size += len(entry.body) + 4 * len(entry.id) + OVERHEAD
            if id(entry.decision) not in decisions:
                decisions.add(id(entry.decision))
                size += len(bytes(self._decision(entry.decision)))
            if entry.dedupe is not None and len(entry.dedupe) != KEY_BYTES:
                raise LogError(f"a duplicate key has {KEY_BYTES} bytes, this one {len(entry.dedupe)}")
        return size

    def pack(self, entries: Sequence[Entry]) -> Written:
        """Return an append.

        Raises:
            LogError: an entry cannot be written down.
        """
        decisions: dict[int, int] = {}
        encoded: list[msgspec.Raw] = []
        rows: list[tuple[str, bytes, int, bytes | None, float | None]] = []
        for entry in entries:
            number = decisions.get(id(entry.decision))
            if number is None:
                number = decisions[id(entry.decision)] = len(encoded)
                encoded.append(self._decision(entry.decision))
            once_s = self._window_s if entry.once_s is None else entry.once_s
            dedupe = entry.dedupe if once_s else None
            rows.append((entry.id, entry.body, number, dedupe, once_s if dedupe is not None else None))
        try:
            return Written(APPEND, msgspec.Raw(_encode((encoded, rows))))
        except (TypeError, ValueError) as error:
            raise LogError(f"cannot be stored: {error!r}") from error

    def _decision(self, decision: Decision) -> msgspec.Raw:
        known = self._encoded.get(id(decision))
        if known is None:
            if len(self._encoded) >= _MAX_REMEMBERED:
                self._encoded.clear()
            known = self._encoded[id(decision)] = (decision, msgspec.Raw(_encode(decision)))
        return known[1]
