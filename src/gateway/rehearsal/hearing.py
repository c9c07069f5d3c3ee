"""A vendor's request in a file, as a source of the configuration hears it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

import msgspec

from gateway.adapter import Event, Refusal, RefusalKind, Rejected, Reply, Request
from gateway.errors import UsageError
from gateway.inbound.routes import Source, Sources
from gateway.offline import Nobody
from gateway.shape_check import unknown
from gateway.translation import request_of


class Heard(NamedTuple):
    """What a request becomes, and what its client gets."""

    events: Sequence[Event]
    reply: Reply

    @property
    def accepted(self) -> bool:
        """Whether the client is told that all is well."""
        return 200 <= self.reply.status < 300


def read_request(data: bytes, name: str) -> Request:
    """Return the request that a file describes.

    Args:
        name: what to call the file in messages.

    Raises:
        UsageError: it describes none.
    """
    try:
        return request_of(msgspec.json.decode(data, type=dict[str, Any]))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UsageError(f"{name}: not a JSON object: {error}") from None
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def source_of(request: Request, sources: Mapping[str, Source], name: str | None) -> Source:
    """Return the source that a request is for.

    Without a name it is the one where the gateway would take the request, or the only one that knows its path.

    Raises:
        UsageError: no source is called so, or none or several could be meant.
    """
    if name is not None:
        if name not in sources:
            raise UsageError(f"no source is called {name!r}; {unknown(name, list(sources))}")
        return sources[name]
    place = Sources(list(sources.values())).place(request.method, request.path, request.raw_headers)
    if place is not None and place.found is not None:
        return place.source
    knowing = [source for source in sources.values() if source.endpoint(request.method, request.path)]
    if len(knowing) == 1:
        return knowing[0]
    several = ", ".join(source.name for source in knowing or sources.values())
    who = "several sources take" if knowing else "no source takes"
    raise UsageError(f"{who} {request.method} {request.path}; say which one is meant with --source: {several}")


def hear(request: Request, source: Source, received_at: datetime | None = None) -> Heard:
    """Return what a source makes of a request; whatever credential is presented is that of its first account.

    Args:
        received_at: with it ids are the same at every call, too.
    """
    request.path = _below_the_mount(request, source)
    request.source, request.options, request.people = source.name, source.options, Nobody(source.adapter)
    if received_at is not None:
        request.received_at, request.new_id = received_at, _ids().__next__
    found = source.endpoint(request.method, request.path)
    if found is None:
        allowed = source.methods(request.path)
        kind = RefusalKind.METHOD_NOT_ALLOWED if allowed else RefusalKind.NOT_FOUND
        return Heard((), source.adapter.refuse(Refusal(kind, allowed=allowed), request))
    request.params = found.params
    if len(request.body) > found.endpoint.max_body:
        return Heard((), source.adapter.refuse(Refusal(RefusalKind.TOO_LARGE), request))
    try:
        if found.endpoint.auth is not None:
            found.endpoint.auth.present(request)
            request.account = source.accounts[0]
        decoded = found.endpoint.decode(request)
    except Rejected as rejected:
        return Heard((), rejected.reply)
    return Heard(decoded.events, decoded.reply)


def _below_the_mount(request: Request, source: Source) -> str:
    """Return a request's path as the vendor's clients know it, whether the mount stands before it or not."""
    below = request.path.removeprefix(source.path)
    is_mounted = bool(source.path) and below.startswith("/") and source.endpoint(request.method, below) is not None
    return below if is_mounted else request.path


def _ids() -> Iterator[str]:
    return (f"01900000-0000-7000-8000-{number:012x}" for number in count(1))
