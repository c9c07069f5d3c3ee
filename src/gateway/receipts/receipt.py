"""What is kept of an attempt."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Literal, Protocol

import msgspec
from msgspec import Struct

from gateway.adapter import Answer, Verdict

ANSWER_BYTES: Final = 16 * 1024
"""Bytes of an answer that are kept."""
WHOLE_BYTES: Final = 1 << 20
"""Bytes of a request that are kept when it was not taken as it was; of others, what `Keep` says."""
DONE: Final = Verdict.DONE.value

_LONGEST_SECRET: Final = 8 * 1024
_SECRET_HEADERS: Final = frozenset({"set-cookie", "set-cookie2"})
_REQUEST_IDS: Final = frozenset({"x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "cf-ray"})
"""Headers that are kept of the answer to a request that was taken: what a vendor's support asks for."""


class Attempted(Protocol):
    """One request to a target, what came of it, and which events it carried; `gateway.delivery.Attempt` is one."""

    @property
    def target(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def events(self) -> tuple[str, ...]:
        """Ids, in the order of the request's items."""

    @property
    def status(self) -> int | None: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def why(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def body(self) -> bytes | None:
        """None: nothing was sent."""

    @property
    def answer(self) -> Answer | None: ...
    @property
    def masked(self) -> Callable[[bytes], bytes]:
        """Takes the target's secrets out of a text."""


class Brief(Struct, frozen=True, gc=False):
    """An attempt without its texts."""

    target: str
    endpoint: str
    events: tuple[str, ...]
    status: int | None
    verdict: Verdict
    why: str
    attempt: int
    seconds: float
    method: str
    path: str = ""
    body: bytes | None = None
    answer: Answer | None = None
    masked: Callable[[bytes], bytes] = bytes

    @classmethod
    def of(cls, it: Attempted) -> "Brief":
        """Return the same without texts."""
        return cls(it.target, it.endpoint, it.events, it.status, it.verdict, it.why, it.attempt, it.seconds, it.method)


class Ended(Struct, frozen=True, gc=False):
    """The end of an event that no attempt tells; `why` may say what rule or adapter had it so."""

    target: str
    event: str
    outcome: Literal["dropped", "dead"]
    why: str


class Kept(Struct, array_like=True, gc=False):
    """What is kept of an attempt or an end, as it stands in the file: fields are only ever added at the end."""

    at: int
    """When it was over, Unix milliseconds."""
    target: str
    endpoint: str
    status: int | None
    """None: no answer."""
    verdict: str
    """The value of a `Verdict`, ``dropped`` or ``dead``."""
    why: str
    attempt: int
    us: int
    """Microseconds until the answer."""
    events: bytes
    """16 bytes for each event it carried."""
    method: str | None = None
    """None: an end, without a request."""
    path: str | None = None
    """None: the texts are not kept."""
    request_bytes: int | None = None
    """Of the whole request; None: nothing was sent."""
    request: bytes | None = None
    headers: bytes | None = None
    """Of the answer, as a JSON object."""
    answer_bytes: int | None = None
    answer: bytes | None = None


def kept_end(at: float, end: Ended) -> Kept:
    """Return what is kept of an end at a moment (Unix seconds)."""
    return Kept(int(at * 1000), end.target, "", None, end.outcome, end.why, 0, 0, key_of(end.event))


def kept_attempt(at: float, it: Attempted, request_bytes: int) -> Kept:
    """Return what is kept of an attempt, secrets masked.

    Args:
        at: Unix seconds when it was over.
        request_bytes: how many bytes of a request are kept when it was taken.
    """
    verdict = it.verdict.value
    kept = Kept(
        int(at * 1000),
        it.target,
        it.endpoint,
        it.status,
        verdict,
        it.why,
        it.attempt,
        int(it.seconds * 1e6),
        keys_of(it.events),
        it.method,
    )
    if type(it) is not Brief:
        masked, request, answer, taken = it.masked, it.body, it.answer, verdict == DONE
        kept.path = masked(it.path.encode("utf-8", "replace")).decode("utf-8", "replace")
        if request is not None:
            kept.request_bytes = len(request)
            kept.request = _head(request, request_bytes if taken else max(request_bytes, WHOLE_BYTES), masked)
        if answer is not None:
            kept.headers = _headers(answer.headers, masked, brief=taken)
            kept.answer_bytes = len(answer.body)
            kept.answer = _head(answer.body, ANSWER_BYTES, masked)
    return kept


def _headers(headers: Mapping[str, str], masked: Callable[[bytes], bytes], *, brief: bool) -> bytes | None:
    names = _REQUEST_IDS.intersection(headers) if brief else headers.keys() - _SECRET_HEADERS
    if not names:
        return None
    return masked(msgspec.json.encode({name: value for name, value in headers.items() if name in names}))


def _head(text: bytes, limit: int, masked: Callable[[bytes], bytes]) -> bytes:
    """Return the first bytes of a text without secrets, not even the beginning of one that the cut goes through."""
    if len(text) <= limit:
        return masked(text) if text else text
    if len(text) <= limit + _LONGEST_SECRET:
        return masked(text)[:limit]
    shown = masked(text[: limit + _LONGEST_SECRET])
    return shown[: max(0, min(limit, len(shown) - _LONGEST_SECRET))]


# --- ids -------------------------------------------------------------------------------------------------

KEY_BYTES: Final = 16
_UUID: Final = 36
"""Characters."""


def keys_of(ids: Sequence[str]) -> bytes:
    """Return 16 bytes for each id, one after the other: those of a UUID itself, of anything else a hash."""
    if len(ids) == 1:
        return key_of(ids[0])
    text = "".join(ids)
    if len(text) == _UUID * len(ids):
        try:
            keys = bytes.fromhex(text.replace("-", ""))
        except ValueError:
            keys = b""
        if len(keys) == KEY_BYTES * len(ids):
            return keys
    return b"".join(map(key_of, ids))


def key_of(id_: str) -> bytes:
    """Return the 16 bytes of one id."""
    if len(id_) == _UUID:
        try:
            key = bytes.fromhex(id_.replace("-", ""))
        except ValueError:
            key = b""
        if len(key) == KEY_BYTES:
            return key
    return blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def ids_of(keys: bytes) -> list[str]:
    """Return the ids that keys stand for, as UUIDs."""
    texts = [keys[at : at + KEY_BYTES].hex() for at in range(0, len(keys), KEY_BYTES)]
    return [f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}" for t in texts]
