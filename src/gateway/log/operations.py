"""Everything that changes a log besides storing events, by name and with arguments that can be written down.

An operation is a function over a connection within an open transaction. It sees nothing but the tables and its
arguments, times among them: done again on a copy of the tables it does the same. The embedded engine does it at once;
an engine with copies writes name and arguments down, and every copy does it. What a name means never changes: logs
hold operations that older programs wrote and that newer ones must do alike.
"""

import inspect
import sqlite3
import types
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, Generic, TypeVar, TypeVarTuple, get_type_hints

import msgspec

from gateway.errors import LogError
from gateway.log import exceptions, once, owners, prune, replays, targets

T = TypeVar("T")
Args = TypeVarTuple("Args")

_encode = msgspec.msgpack.Encoder().encode


class Operation(Generic[T, *Args]):
    """One way to change a log.

    Args:
        name: what it is called wherever it is written down.
        work: does it; raises `LogError` or `sqlite3.IntegrityError` to undo itself alone.
        wakes: whether readers have something new when it is done.
    """

    def __init__(self, name: str, work: Callable[[sqlite3.Connection, *Args], T], *, wakes: bool = False) -> None:
        self.name = name
        self.work = work
        self.wakes = wakes

    @cached_property
    def types(self) -> tuple[Any, ...]:
        """Of the arguments, in order."""
        hints = get_type_hints(self.work)
        return tuple(hints[one] for one in list(inspect.signature(self.work).parameters)[1:])

    @cached_property
    def _decode(self) -> Callable[[bytes | msgspec.Raw], tuple[Any, ...]]:
        return msgspec.msgpack.Decoder(types.GenericAlias(tuple, self.types)).decode

    def encode(self, *args: *Args) -> bytes:
        """Return the arguments as bytes: all of them.

        Raises:
            LogError: an argument cannot be written down.
        """
        if len(args) != len(self.types):
            raise TypeError(f"{self.name} takes {len(self.types)} arguments")
        try:
            return _encode(args)
        except (TypeError, ValueError, OverflowError) as error:
            raise LogError(f"cannot be stored: {error!r}") from error

    def decode(self, data: bytes | msgspec.Raw) -> tuple[Any, ...]:
        """Return the arguments that `encode` wrote.

        Raises:
            msgspec.MsgspecError: it was written by something else.
        """
        return self._decode(data)


REGISTER: Final = Operation("register", targets.register)
FORGET_TARGET: Final = Operation("forget_target", targets.forget)
PLACE_OF: Final = Operation("place_of", targets.place_of)
SETTLE: Final = Operation("settle", targets.settle)
HOLD: Final = Operation("hold", targets.hold)
RETRY: Final = Operation("retry", exceptions.retry, wakes=True)
DROP: Final = Operation("drop", exceptions.drop)
TAKE_IN: Final = Operation("take_in", exceptions.take_in)
BEGIN_REPLAY: Final = Operation("begin_replay", replays.begin)
TAKE: Final = Operation("take", replays.take, wakes=True)
SET_SHARE: Final = Operation("set_share", replays.set_share)
FINISH: Final = Operation("finish", replays.finish)
CANCEL: Final = Operation("cancel", replays.cancel)
BEAT: Final = Operation("beat", owners.beat)
CLAIM: Final = Operation("claim", owners.claim)
RELEASE: Final = Operation("release", owners.release)
LEAVE: Final = Operation("leave", owners.leave)
BURY: Final = Operation("bury", owners.bury)
SETTLE_AS: Final = Operation("settle_as", owners.settle)
PRUNE: Final = Operation("prune", prune.step)
FORGET: Final = Operation("forget", once.tidy)
FORGET_MORE: Final = Operation("forget_more", once.trim)

OPERATIONS: Final[dict[str, Operation[Any, *tuple[Any, ...]]]] = {
    one.name: one for one in list(vars().values()) if isinstance(one, Operation)
}
"""All of them by name."""
