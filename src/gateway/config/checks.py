"""What a configuration must keep to beyond its shape: names that exist, paths, credentials, addresses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from gateway import registry
from gateway.adapter import Adapter
from gateway.config.examples import check_examples
from gateway.config.model import Checked, Config, LogConfig, ReceiptsConfig, SourceConfig, TargetConfig, source_path
from gateway.errors import AdapterError, Problem
from gateway.routing import Rule
from gateway.routing.rules import is_glob
from gateway.shape_check import problems, unknown
from gateway.yamlfile import Document, Place


class Section(NamedTuple):
    """A piece of a file: where its problems are told, its value, and its place."""

    document: Document
    value: Any
    place: Place


LEAST_RECEIPTS: Final = 1 << 20
"""Bytes of a file of receipts that is worth having."""
LEAST_STREAM: Final = 64 << 20
"""Bytes of a stream that is worth having."""

Found = list[tuple[Rule, Section]]
"""Rules in order, each with the piece of a file it was read from."""


# --- routes ---


def check_rules(rules: Found, config: Checked) -> Iterator[Problem]:
    """Yield what is wrong with the rules as part of a configuration: names that are none, or of two."""
    seen: set[str] = set()
    for rule, section in rules:
        document, _, place = section
        if rule.name in seen:
            yield document.problem((*place, "name"), f"two rules are called {rule.name!r}")
        seen.add(rule.name)
        yield from _check_sources(rule, section, config)
        yield from _check_targets(rule, section, config)
        yield from check_examples(rule, document, place, config)


def _check_sources(rule: Rule, section: Section, config: Checked) -> Iterator[Problem]:
    asked = [("source", rule.match.source)]
    if rule.match.not_ is not None:
        asked.append(("not", rule.match.not_.source))
    for key, source in asked:
        for name in [source] if isinstance(source, str) else source or []:
            if not is_glob(name) and name not in config.sources:
                text = f"no source is called {name!r}; {unknown(name, list(config.sources))}"
                yield section.document.problem((*section.place, "match", key), text)


def _check_targets(rule: Rule, section: Section, config: Checked) -> Iterator[Problem]:
    listed = isinstance(section.value.get("to"), list)
    for index, send in enumerate(rule.sends):
        at: Place = ("to", index, "target") if listed else ("to",)
        if "to" not in section.value:
            at = ("split", "percent", send.target)
        if send.target not in config.targets:
            text = f"no target is called {send.target!r}; {unknown(send.target, list(config.targets))}"
            yield section.document.problem((*section.place, *at), text, at_key="to" not in section.value)


# --- the rest ---


def check(document: Document, config: Config) -> Iterator[Problem]:
    """Yield what is wrong with all but the rules."""
    if not config.sources:
        yield document.problem(("sources",), "there is no source")
    yield from _check_log(document, config.log)
    yield from _check_listeners(document, config)
    yield from _check_receipts(document, config.receipts)
    yield from _check_mounts(document, config)
    for name, source in config.sources.items():
        yield from _check_source(document, ("sources", name), source)
    for name, target in config.targets.items():
        yield from _check_target(document, ("targets", name), target)


def _check_log(document: Document, log: LogConfig) -> Iterator[Problem]:
    if (log.sqlite is None) == (log.jetstream is None):
        yield document.problem(("log",), "expected either 'sqlite' or 'jetstream'")
    if log.jetstream is None:
        return
    place: Place = ("log", "jetstream")
    if not log.jetstream.servers:
        yield document.problem((*place, "servers"), "there is no server")
    for index, server in enumerate(log.jetstream.servers):
        if not re.fullmatch(r"(nats|tls)://(\S+@)?[^\s/@]+", server):
            yield document.problem((*place, "servers", index), "expected nats:// or tls:// and a host, with its port")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", log.jetstream.stream):
        yield document.problem((*place, "stream"), "a stream's name has letters, digits, - and _, up to 64")
    if log.jetstream.bytes < LEAST_STREAM:
        yield document.problem((*place, "bytes"), f"must be at least {LEAST_STREAM} (64 MiB)")
    if log.jetstream.snapshot_messages < 1:
        yield document.problem((*place, "snapshot_messages"), "must be at least 1")


def _check_listeners(document: Document, config: Config) -> Iterator[Problem]:
    for name, port in (("listen", config.listen.port), ("admin", config.admin.port)):
        if not 0 <= port <= 65535:
            yield document.problem((name, "port"), f"a port is from 0 to 65535, not {port}")
    if config.admin.host not in ("127.0.0.1", "::1", "localhost") and not config.admin.token:
        yield document.problem(("admin",), "beyond loopback the admin listener needs a 'token'")


def _check_receipts(document: Document, receipts: ReceiptsConfig) -> Iterator[Problem]:
    if receipts.hours <= 0:
        yield document.problem(("receipts", "hours"), "must be more than 0")
    if receipts.bytes < LEAST_RECEIPTS:
        yield document.problem(("receipts", "bytes"), f"must be at least {LEAST_RECEIPTS} (1 MiB)")
    if receipts.request_bytes < 0:
        yield document.problem(("receipts", "request_bytes"), "must not be less than 0")


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
    yield from _check_options(document, (*place, "options"), adapter.source_options, source.options)


def _check_target(document: Document, place: Place, target: TargetConfig) -> Iterator[Problem]:
    adapter, wrong = _adapter(document, place, target.vendor)
    yield from wrong
    for key in ("concurrency", "timeout", "max_age_hours"):
        if getattr(target, key) <= 0:
            yield document.problem((*place, key), "must be more than 0")
    yield from _check_lanes(document, place, target)
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
    yield from _check_options(document, (*place, "options"), adapter.target_options, target.options)
    if not any(set(out.needs) <= target.credentials.keys() for out in adapter.outbound):
        needs = " or ".join(sorted({" with ".join(out.needs) for out in adapter.outbound}))
        yield document.problem((*place, "credentials"), f"cannot send anything to {adapter.title} without {needs}")


def _check_lanes(document: Document, place: Place, target: TargetConfig) -> Iterator[Problem]:
    wait = target.lanes.max_wait_hours
    if wait is None:
        if target.lanes.then == "pass":
            yield document.problem((*place, "lanes", "then"), "needs max_wait_hours: when it happens")
    elif wait <= 0:
        yield document.problem((*place, "lanes", "max_wait_hours"), "must be more than 0")
    elif wait >= target.max_age_hours:
        text = f"must be less than max_age_hours ({target.max_age_hours:g}), after which an event is given up anyway"
        yield document.problem((*place, "lanes", "max_wait_hours"), text)


def _check_options(
    document: Document, place: Place, wanted: type[Struct] | None, options: Mapping[str, Any]
) -> Iterator[Problem]:
    if wanted is None:
        for name in options:
            yield document.problem((*place, name), f"there is no option {name!r}: this vendor has none", at_key=True)
        return
    wrong = list(problems(document, options, wanted, place))
    yield from wrong
    if not wrong:
        try:
            msgspec.convert(options, wanted)
        except msgspec.ValidationError as error:
            yield document.problem(place, str(error).split(" - at ")[0])


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
