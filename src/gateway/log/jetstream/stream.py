"""The stream that holds the journal: made if it is missing, checked if it is there."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import nats.errors
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, BadRequestError, NotFoundError

from gateway.errors import LogError, LogMoved
from gateway.log import moves
from gateway.log.jetstream.settings import JetStreamSettings
from gateway.log.moves import Move

T = TypeVar("T")

AGAIN_S: Final = 0.2
DUPLICATE_WINDOW_S: Final = 120.0
_IDENTITY: Final = "event-gateway"
"""The key of the stream's metadata under which a stream is told from another of the same name."""
_MOVE: Final = "event-gateway-move"
"""The key of the stream's metadata under which it says that it was moved."""
_IN_USE: Final = 10058
_UNAVAILABLE: Final = 503
_NO_ROOM: Final = frozenset({10077, 10023, 10047, 10028, 10002})
"""Error codes of a stream, an account or a server that is full."""
_TOO_LARGE: Final = frozenset({10054})


def wanted(settings: JetStreamSettings) -> api.StreamConfig:
    """Return how the stream has to be."""
    return api.StreamConfig(
        name=settings.stream,
        subjects=[settings.subject],
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        num_replicas=settings.replicas,
        max_bytes=settings.max_bytes,
        max_msgs=-1,
        max_age=0,
        max_msg_size=settings.message_bytes,
        duplicate_window=DUPLICATE_WINDOW_S,
        deny_delete=True,
    )


async def ready(
    jetstream: JetStreamContext, settings: JetStreamSettings, *, create: bool, move: str | None = None
) -> str:
    """Make or check the stream; returns what tells it from another of the same name.

    Args:
        create: whether it is made if there is none.
        move: by which it may have been closed all the same.

    Raises:
        LogError: there is none and none is to be made, it is not as it has to be, it was moved, or the servers cannot
            say.
    """

    async def work() -> api.StreamInfo:
        info = await _found(jetstream, settings)
        if info is None:
            if not create:
                raise LogError(f"there is no log in {settings.name}")
            info = await _made(jetstream, settings)
        mark = move_of(info)
        if mark is not None and mark.closed:
            if mark.id != move:
                raise LogMoved(mark.refusal(settings.name))
            return info
        return await _checked(jetstream, settings, info)

    return identity_of(await answered(work, settings), settings)


def identity_of(info: api.StreamInfo, settings: JetStreamSettings) -> str:
    """Return what tells a stream from another of the same name.

    Raises:
        LogError: it is no gateway's.
    """
    identity = (info.config.metadata or {}).get(_IDENTITY)
    if identity is None:
        raise LogError(f"{settings.name} cannot be used as a log: it is another program's stream")
    return identity


def move_of(info: api.StreamInfo) -> Move | None:
    """Return what a stream says of its move."""
    text = (info.config.metadata or {}).get(_MOVE)
    return None if text is None else moves.load(text)


async def found(jetstream: JetStreamContext, settings: JetStreamSettings) -> api.StreamInfo | None:
    """Return what there is, None when there is no stream.

    Raises:
        LogError: the servers cannot say.
    """
    return await answered(lambda: _found(jetstream, settings), settings)


async def mark(jetstream: JetStreamContext, settings: JetStreamSettings, move: Move) -> api.StreamInfo:
    """Have the stream say this of its move, making it if there is none; while it is closed nothing can be stored.

    Raises:
        LogError: it is not as it has to be, or the servers will not, or cannot say.
    """
    subject = f"{settings.stream}.closed" if move.closed else settings.subject

    async def work() -> api.StreamInfo:
        info = await _found(jetstream, settings) or await _made(jetstream, settings)
        metadata = {**(info.config.metadata or {}), _MOVE: moves.dump(move)}
        return await jetstream.update_stream(info.config.evolve(subjects=[subject], metadata=metadata))

    return await answered(work, settings)


async def answered(work: Callable[[], Awaitable[T]], settings: JetStreamSettings) -> T:
    """Return what the servers answer, asking again while they have no leader.

    Raises:
        LogError: they refuse, or nobody has answered after `connect_s`.
    """
    end = time.monotonic() + settings.connect_s
    while True:
        try:
            return await work()
        except (nats.errors.Error, TimeoutError) as error:
            if refused(error) or time.monotonic() >= end:
                raise LogError(f"{settings.name} cannot be used as a log: {settings.redacted(error)}") from error
        await asyncio.sleep(AGAIN_S)


async def state(jetstream: JetStreamContext, settings: JetStreamSettings) -> api.StreamState:
    """Return what the stream holds.

    Raises:
        LogError: nobody can say.
    """
    return (await answered(lambda: jetstream.stream_info(settings.stream), settings)).state


async def _found(jetstream: JetStreamContext, settings: JetStreamSettings) -> api.StreamInfo | None:
    try:
        return await jetstream.stream_info(settings.stream)
    except NotFoundError:
        return None


async def _made(jetstream: JetStreamContext, settings: JetStreamSettings) -> api.StreamInfo:
    config = wanted(settings).evolve(metadata={_IDENTITY: secrets.token_hex(8)})
    try:
        return await jetstream.add_stream(config)
    except BadRequestError as error:
        if error.err_code != _IN_USE:
            raise
        return await jetstream.stream_info(settings.stream)  # another node was first


async def _checked(jetstream: JetStreamContext, settings: JetStreamSettings, info: api.StreamInfo) -> api.StreamInfo:
    """Refuse a stream that is not as it has to be; let one grow that is too small."""
    growing = suits(info, settings, "subjects")
    if growing:
        asked = wanted(settings)
        return await jetstream.update_stream(info.config.evolve(**{name: getattr(asked, name) for name in growing}))
    return info


def suits(info: api.StreamInfo, settings: JetStreamSettings, *more: str) -> set[str]:
    """Refuse a stream that is not as it has to be, but for its subjects; return in what it is too small.

    Args:
        more: what else has to be right.

    Raises:
        LogError: something is otherwise.
    """
    asked = wanted(settings)
    different: dict[str, tuple[Any, Any]] = {}
    for name in ("retention", "storage", "discard", "num_replicas", "max_bytes", "max_msgs", "max_age",
                 "max_msg_size", "duplicate_window", *more):  # fmt: skip
        is_so, should_be = getattr(info.config, name), getattr(asked, name)
        if (is_so or 0) != (should_be or 0):
            different[name] = (is_so, should_be)
    larger = {"max_bytes", "max_msg_size"}
    growing = {name for name in different if name in larger and 0 < different[name][0] < different[name][1]}
    if different.keys() - growing:
        told = ", ".join(f"{name} is {is_so!r} and should be {so!r}" for name, (is_so, so) in sorted(different.items()))
        raise LogError(f"{settings.name} cannot be used as a log: {told}")
    return growing


def refused(error: BaseException) -> bool:
    """Tell whether the servers say that they will not, rather than that they cannot now."""
    return isinstance(error, APIError) and (error.code != _UNAVAILABLE or error.err_code in _NO_ROOM)


def not_stored(error: BaseException) -> bool:
    """Tell whether the servers say for sure that a message is not stored, and that asking again at once is no use.

    Any other answer leaves it open: a message sent again can be told that the first one is still in process.
    """
    return isinstance(error, APIError) and error.err_code in _NO_ROOM | _TOO_LARGE
