"""`gateway.yaml`: read, substitute, check whole, and report every problem with its line."""

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from gateway import registry, yamlfile
from gateway.adapter import Adapter, Window
from gateway.errors import AdapterError, ConfigError, Problem
from gateway.routing import Rule
from gateway.routing.paths import Path as EventPath
from gateway.routing.router import checked_literal
from gateway.shape_check import problems, unknown
from gateway.yamlfile import Document, Place


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """Where clients connect."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 picks a free one."""


class Admin(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the person who runs the gateway connects: health, metrics, status."""

    host: str = "127.0.0.1"
    port: int = 8081
    token: str | None = None
    """Needed as `Authorization: Bearer …`; required beyond loopback."""


class Retention(Struct, frozen=True, forbid_unknown_fields=True):
    """How long delivered events stay in the log; what still waits always stays."""

    hours: float = 72
    bytes: int = 2 * 1024**3


class Duplicates(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a client's own key is remembered."""

    hours: float = 24


class LogConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The durable log."""

    sqlite: str
    retention: Retention = Retention()
    duplicates: Duplicates = Duplicates()


class SourceConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A vendor's API as we emulate it."""

    vendor: str
    credentials: list[dict[str, str]]
    path: str | None = None
    hosts: list[str] = []
    mode: Literal["emulate", "tee"] = "emulate"
    enforce_limits: bool = False
    """Answer 429 beyond the vendor's own limits, as the vendor would."""


class WindowConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """At most so many requests in so many seconds."""

    requests: int
    seconds: float


class LimitsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a whole target, beside those of its vendor."""

    windows: list[WindowConfig] = []


class TargetConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """An account at a vendor."""

    vendor: str
    credentials: dict[str, str]
    base_url: str | None = None
    limits: LimitsConfig = LimitsConfig()
    concurrency: int = 20
    """Requests under way at once."""
    timeout: float = 30
    """Seconds for one request, connection included."""
    max_age_hours: float = 168
    """An event that could not be delivered for so long is dead-lettered."""


class LoggingConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What the gateway writes to stderr."""

    format: Literal["json", "console"] | None = None
    """None: console on a terminal, else json."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """`warning` leaves out the line per request and per attempt."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All of `gateway.yaml`, checked, with paths made absolute and variables filled in."""

    log: LogConfig
    sources: dict[str, SourceConfig]
    targets: dict[str, TargetConfig] = {}
    routes: list[str | Rule] = []
    listen: Listen = Listen()
    admin: Admin = Admin()
    logging: LoggingConfig = LoggingConfig()

    def rules(self) -> list[Rule]:
        """Return all rules in order; files are already read."""
        return [rule for rule in self.routes if isinstance(rule, Rule)]

    def secrets(self) -> frozenset[str]:
        """Return every text that must not appear in any output."""
        named = [(source.vendor, entry) for source in self.sources.values() for entry in source.credentials]
        named += [(target.vendor, target.credentials) for target in self.targets.values()]
        found = {text for vendor, entry in named for text in _secret_values(registry.adapter(vendor), entry)}
        return frozenset(found | ({self.admin.token} if self.admin.token else set()))


def _secret_values(adapter: Adapter, credentials: Mapping[str, str]) -> Iterator[str]:
    for known in adapter.credentials:
        if known.secret and known.name in credentials:
            yield credentials[known.name]


def source_path(name: str, source: SourceConfig) -> str:
    """Return a source's mount prefix: no slash at the end, empty for a whole host."""
    return (f"/{name}" if source.path is None else source.path).rstrip("/")


def target_windows(target: TargetConfig) -> tuple[Window, ...]:
    """Return the person's own limits for a target."""
    return tuple(
        Window(count=w.requests, seconds=w.seconds, source="gateway.yaml", read="", shared="target")
        for w in target.limits.windows
    )


# --- reading ---------------------------------------------------------------------------------------------


class _Section(NamedTuple):
    document: Document
    value: Any
    place: Place


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration.

    Raises:
        ConfigError: with all its problems, and those of the route files it names.
    """
    document = yamlfile.read(path)
    found = list(document.problems)
    value = _substituted(document, document.value, (), environ, path.parent, found)
    found += problems(document, value, Config)
    if found:
        raise ConfigError(_masked(found, document.value, value))
    rules = _rules(document, value, path.parent, environ, found)
    config = msgspec.convert({**value, "routes": []}, Config)
    config = msgspec.structs.replace(config, routes=[rule for rule, _ in rules], log=_absolute(config.log, path.parent))
    found += _check(document, config)
    found += _check_rules(rules, config)
    if found:
        raise ConfigError(_masked(found, document.value, value))
    return config


def _masked(found: list[Problem], *documents: Any) -> list[Problem]:
    """Return the problems in the order of the file, every credential in their texts blotted out."""
    secrets = sorted({text for document in documents for text in _credentials(document)}, key=len, reverse=True)
    for secret in secrets:
        found = [
            dataclasses.replace(
                problem,
                message=problem.message.replace(secret, "***"),
                source=problem.source.replace(secret, "*" * len(secret)),
            )
            for problem in found
        ]
    return sorted(found, key=lambda problem: (problem.file, problem.line, problem.column))


def _credentials(value: Any, inside: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _credentials(inner, inside or key in ("credentials", "token"))
    elif isinstance(value, list):
        for inner in value:
            yield from _credentials(inner, inside)
    elif inside and value is not None and len(str(value)) >= _SHORTEST_SECRET and "${" not in str(value):
        yield str(value)


_SHORTEST_SECRET: Final = 4
_VARIABLE: Final = re.compile(r"\$\$|\$\{(file:)?([^}]*)\}")


def _substituted(
    document: Document, value: Any, place: Place, environ: Mapping[str, str], folder: Path, found: list[Problem]
) -> Any:
    """Return `value` with ``${NAME}`` and ``${file:PATH}`` filled in; ``$$`` is a dollar sign."""
    if isinstance(value, dict):
        return {k: _substituted(document, v, (*place, k), environ, folder, found) for k, v in value.items()}
    if isinstance(value, list):
        return [_substituted(document, v, (*place, i), environ, folder, found) for i, v in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        text, trouble = _from_file(folder, match[2]) if match[1] else _from_environment(environ, match[2])
        if trouble:
            found.append(document.problem(place, trouble))
        return text

    filled = _VARIABLE.sub(fill, value)
    return int(filled) if filled != value and re.fullmatch(r"[0-9]{1,9}", filled) and place[-1] == "port" else filled


def _from_environment(environ: Mapping[str, str], name: str) -> tuple[str, str | None]:
    if name in environ:
        return environ[name], None
    return "", f"the environment variable {name!r} is not set"


def _from_file(folder: Path, name: str) -> tuple[str, str | None]:
    try:
        return (folder / name).read_text(encoding="utf-8").strip(), None
    except (OSError, UnicodeDecodeError) as error:
        return "", f"{name!r} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"


def _absolute(log: LogConfig, folder: Path) -> LogConfig:
    return msgspec.structs.replace(log, sqlite=str((folder / log.sqlite).absolute()))


# --- routes ----------------------------------------------------------------------------------------------

_Found = list[tuple[Rule, _Section]]


def _rules(document: Document, value: Any, folder: Path, environ: Mapping[str, str], found: list[Problem]) -> _Found:
    rules: _Found = []
    for index, entry in enumerate(value.get("routes", [])):
        place = ("routes", index)
        if isinstance(entry, str):
            for path in _route_files(document, place, folder / entry, found):
                rules += _rule_file(path, environ, found)
        else:
            rules.append((msgspec.convert(entry, Rule), _Section(document, entry, place)))
    return rules


def _route_files(document: Document, place: Place, path: Path, found: list[Problem]) -> list[Path]:
    if path.is_dir():
        files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
        if not files:
            found.append(document.problem(place, f"no .yaml files in {path}"))
        return files
    if not path.is_file():
        found.append(document.problem(place, f"no such file: {path}"))
        return []
    return [path]


def _rule_file(path: Path, environ: Mapping[str, str], found: list[Problem]) -> _Found:
    try:
        document = yamlfile.read(path)
    except ConfigError as error:
        found += error.problems
        return []
    before = len(found)
    found += document.problems
    value = _substituted(document, document.value, (), environ, path.parent, found)
    found += problems(document, value, list[Rule])
    if len(found) > before:
        return []
    return [(msgspec.convert(entry, Rule), _Section(document, entry, (i,))) for i, entry in enumerate(value)]


def _check_rules(rules: _Found, config: Config) -> Iterator[Problem]:
    seen: set[str] = set()
    for rule, section in rules:
        document, _, place = section
        if rule.name in seen:
            yield document.problem((*place, "name"), f"two rules are called {rule.name!r}")
        seen.add(rule.name)
        if (rule.to is None) == (rule.drop is None):
            yield document.problem(place, "a rule needs either 'to' or 'drop'")
        yield from _check_match(rule, section, config)
        yield from _check_sends(rule, section, config)


def _check_match(rule: Rule, section: _Section, config: Config) -> Iterator[Problem]:
    source = rule.match.source
    for name in [source] if isinstance(source, str) else source or []:
        if not any(mark in name for mark in "*?[") and name not in config.sources:
            text = f"no source is called {name!r}; {unknown(name, list(config.sources))}"
            yield section.document.problem((*section.place, "match", "source"), text)


def _check_sends(rule: Rule, section: _Section, config: Config) -> Iterator[Problem]:
    document, value, place = section
    listed = isinstance(value.get("to"), list)
    seen: set[str] = set()
    for index, send in enumerate(rule.sends()):
        at = (*place, "to", index) if listed else (*place, "to")
        if send.target not in config.targets:
            text = f"no target is called {send.target!r}; {unknown(send.target, list(config.targets))}"
            yield document.problem((*at, "target"), text)
        if send.target in seen:
            yield document.problem(at, f"the rule sends to {send.target!r} twice")
        seen.add(send.target)
        for key, text in _wrong_paths(send.rename, send.drop, send.set):
            yield document.problem((*at, *key), text, at_key=True)


def _wrong_paths(
    rename: Mapping[str, str], drop: list[str], literals: Mapping[str, Any]
) -> Iterator[tuple[Place, str]]:
    for old, new in rename.items():
        yield from _wrong_path(old, ("rename", old), drops=True)
        yield from _wrong_path(new, ("rename", old))
    for index, path in enumerate(drop):
        yield from _wrong_path(path, ("drop", index), drops=True)
    for path, literal in literals.items():
        wrong = list(_wrong_path(path, ("set", path)))
        yield from wrong
        if not wrong:
            try:
                checked_literal(EventPath(path), literal)
            except ValueError as error:
                yield ("set", path), str(error)


def _wrong_path(text: str, key: Place, *, drops: bool = False) -> Iterator[tuple[Place, str]]:
    try:
        path = EventPath(text)
    except ValueError as error:
        yield key, str(error)
        return
    if drops and not path.droppable:
        yield key, f"{text!r} cannot be taken out of an event"


# --- the rest --------------------------------------------------------------------------------------------


def _check(document: Document, config: Config) -> Iterator[Problem]:
    if not config.sources:
        yield document.problem(("sources",), "there is no source")
    yield from _check_listeners(document, config)
    yield from _check_mounts(document, config)
    for name, source in config.sources.items():
        yield from _check_source(document, ("sources", name), source)
    for name, target in config.targets.items():
        yield from _check_target(document, ("targets", name), target)


def _check_listeners(document: Document, config: Config) -> Iterator[Problem]:
    for name, port in (("listen", config.listen.port), ("admin", config.admin.port)):
        if not 0 <= port <= 65535:
            yield document.problem((name, "port"), f"a port is from 0 to 65535, not {port}")
    if config.admin.host not in ("127.0.0.1", "::1", "localhost") and not config.admin.token:
        yield document.problem(("admin",), "beyond loopback the admin listener needs a 'token'")


def _check_mounts(document: Document, config: Config) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for name, source in config.sources.items():
        path = source_path(name, source)
        if source.path is not None and not source.path.startswith("/"):
            yield document.problem(("sources", name, "path"), "a path begins with '/'")
        for host in source.hosts or [""]:
            if (host, path) in seen:
                text = f"the source {seen[host, path]!r} already answers at {host}{path or '/'}"
                yield document.problem(("sources", name), text)
            seen[host, path] = name


def _adapter(document: Document, place: Place, vendor: str) -> tuple[Adapter | None, list[Problem]]:
    try:
        return registry.adapter(vendor), []
    except AdapterError as error:
        return None, [document.problem((*place, "vendor"), str(error))]


def _check_source(document: Document, place: Place, source: SourceConfig) -> Iterator[Problem]:
    adapter, wrong = _adapter(document, place, source.vendor)
    yield from wrong
    if source.mode == "tee":
        yield document.problem((*place, "mode"), "'tee' is not available yet; use 'emulate'")
    if adapter is None:
        return
    if not source.credentials:
        yield document.problem((*place, "credentials"), "a source needs at least one credentials entry")
    for index, entry in enumerate(source.credentials):
        yield from _check_credentials(document, (*place, "credentials", index), adapter, entry)


def _check_target(document: Document, place: Place, target: TargetConfig) -> Iterator[Problem]:
    adapter, wrong = _adapter(document, place, target.vendor)
    yield from wrong
    for key in ("concurrency", "timeout", "max_age_hours"):
        if getattr(target, key) <= 0:
            yield document.problem((*place, key), "must be more than 0")
    for index, window in enumerate(target.limits.windows):
        if window.requests < 1 or window.seconds <= 0:
            yield document.problem(
                (*place, "limits", "windows", index), "a window needs at least 1 request and some time"
            )
    if target.base_url is not None and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", target.base_url):
        yield document.problem((*place, "base_url"), "expected http:// or https://, a host, and perhaps a path")
    if adapter is None:
        return
    yield from _check_credentials(document, (*place, "credentials"), adapter, target.credentials)
    if not any(set(out.needs) <= target.credentials.keys() for out in adapter.outbound):
        needs = " or ".join(sorted({" with ".join(out.needs) for out in adapter.outbound}))
        yield document.problem((*place, "credentials"), f"cannot send anything to {adapter.title} without {needs}")


def _check_credentials(
    document: Document, place: Place, adapter: Adapter, entry: Mapping[str, str]
) -> Iterator[Problem]:
    known = [credential.name for credential in adapter.credentials]
    for name, value in entry.items():
        if name not in known:
            text = f"{adapter.title} has no credential {name!r}; {unknown(name, known)}"
            yield document.problem((*place, name), text, at_key=True)
        elif not value:
            yield document.problem((*place, name), f"the credential {name!r} is empty")
        elif not value.isprintable() or not value.isascii():
            yield document.problem((*place, name), f"the credential {name!r} holds characters that cannot be sent")
    if not entry:
        yield document.problem(place, f"expected at least one of: {', '.join(known)}")
