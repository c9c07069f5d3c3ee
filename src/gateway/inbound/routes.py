"""Finds the source and the endpoint that a request is for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from gateway.adapter import Adapter, Inbound, default_options
from gateway.inbound.quota import Counter, Counters

_SLASHES: Final = re.compile(r"/{2,}")
_PARAMETER: Final = re.compile(r"\\\{(\w+)\\\}")


def normal_path(path: str) -> str:
    """Return a path with slashes collapsed and none at the end: real clients send ``//api/events/``."""
    if "//" in path:
        path = _SLASHES.sub("/", path)
    return path.rstrip("/") or "/"


class Found(NamedTuple):
    """An endpoint, what its path captured, and its counters."""

    endpoint: Inbound
    params: dict[str, str]
    counter: Counter | None
    people: bool = False
    """Whether its decoder asks who is known."""


@dataclass(frozen=True)
class Source:
    """A configured source, ready to answer."""

    name: str
    adapter: Adapter
    accounts: Sequence[Mapping[str, str]]
    """The configured credentials entries."""
    path: str = ""
    """Mount prefix without a slash at the end."""
    hosts: tuple[str, ...] = ()
    enforce_limits: bool = False
    options: Any = None
    """An instance of the adapter's `source_options`; None: its defaults."""
    exact: dict[tuple[str, str], Found] = field(init=False, repr=False)
    """By method and path, the endpoints whose path has no parameters."""
    _patterns: list[tuple[str, re.Pattern[str], Found]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.options is None:
            object.__setattr__(self, "options", default_options(self.adapter.source_options))
        exact: dict[tuple[str, str], Found] = {}
        patterns = []
        counters = Counters()
        for endpoint in self.adapter.inbound:
            people = endpoint.people if isinstance(endpoint.people, bool) else endpoint.people(self.options)
            found = Found(endpoint, {}, counters.of(endpoint.windows), people)
            if "{" in endpoint.path:
                pattern = _PARAMETER.sub(r"(?P<\1>[^/]+)", re.escape(endpoint.path))
                patterns.append((endpoint.method, re.compile(pattern), found))
            else:
                exact[endpoint.method, endpoint.path] = found
        object.__setattr__(self, "exact", exact)
        object.__setattr__(self, "_patterns", patterns)

    def endpoint(self, method: str, path: str) -> Found | None:
        """Return what answers `method` at `path` (normal, below the mount)."""
        found = self.exact.get((method, path))
        if found is not None:
            return found
        for wanted, pattern, candidate in self._patterns:
            if wanted == method and (match := pattern.fullmatch(path)):
                return candidate._replace(params=match.groupdict())
        return None

    def methods(self, path: str) -> tuple[str, ...]:
        """Return the methods that `path` knows."""
        known = {method for method, exact in self.exact if exact == path}
        known |= {method for method, pattern, _ in self._patterns if pattern.fullmatch(path)}
        return tuple(sorted(known))


class Place(NamedTuple):
    """Where a request goes."""

    source: Source
    path: str
    """Below the source's mount."""
    found: Found | None
    """None: the source has nothing there, or not for this method."""


class Sources:
    """All sources, found by Host header first, else by the longest mount prefix."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._by_host: dict[str, list[Source]] = {}
        self._by_prefix: list[Source] = []
        for source in sources:
            for host in source.hosts:
                self._by_host.setdefault(host.lower(), []).append(source)
            if not source.hosts:
                self._by_prefix.append(source)
        for several in (*self._by_host.values(), self._by_prefix):
            several.sort(key=lambda source: len(source.path), reverse=True)
        self._exact = {} if self._by_host else self._places()

    def _places(self) -> dict[tuple[str, str], Place]:
        """Return what answers each method and path without parameters."""
        several = [(method, source.path + path) for source in self._by_prefix for method, path in source.exact]
        return {key: place for key in several if (place := self._search(*key, ()))}

    def place(self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> Place | None:
        """Return where a request goes; None: to no source."""
        return self._exact.get((method, path)) or self._search(method, normal_path(path), headers)

    def _search(self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> Place | None:
        named = self._by_host.get(_host(headers)) if self._by_host else None
        found = _under(named or self._by_prefix, path)
        if found is None:
            return None
        source, below = found
        return Place(source, below, source.endpoint(method, below))


def _under(sources: Sequence[Source], path: str) -> tuple[Source, str] | None:
    for source in sources:
        prefix = source.path
        if not prefix:
            return source, path
        if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/"):
            return source, path[len(prefix) :] or "/"
    return None


def _host(headers: Sequence[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"host":
            return value.decode("latin-1").rsplit(":", 1)[0].lower()
    return ""
