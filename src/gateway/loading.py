"""Loads a configuration together with all it was read from, so that a change of it is seen."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from gateway import yamlfile
from gateway.config import Checked, load
from gateway.errors import ConfigError, Problem, UsageError

RESTART_KEYS: Final = ("listen", "admin", "log")
"""Sections of `gateway.yaml` that count from the start of the process to its end."""

_TRIES: Final = 5
_VERSION_BYTES: Final = 6
_FILE: Final = re.compile(r"\$\{file:([^}]*)\}")
_VARIABLE: Final = re.compile(r"\$\{([^}:]*)\}")
_TELLTALES: Final = ("suppress", "${file:")
"""A route file without any of these names no further file."""


class Loaded(NamedTuple):
    """A configuration as it was at one moment."""

    config: Checked
    path: Path
    version: str
    """A short hash of all files it was read from."""
    files: tuple[Path, ...]
    """These files, and the folders of route files."""
    stamps: "Stamps"
    """Theirs, before they were read."""
    rules: str
    """A hash of all that rules may be made of: two configurations with the same have the same rules."""


class Refusal(Struct, frozen=True):
    """A reload that was refused."""

    at: datetime
    why: str


class InForce(Struct):
    """Which configuration a process runs, and what became of attempts to change it."""

    version: str
    loaded_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    reloads: int = 0
    """Since the process began."""
    refused: int = 0
    last_refusal: Refusal | None = None


def load_whole(path: Path) -> Loaded:
    """Read and check a configuration, as it was at one moment.

    Raises:
        ConfigError: with all its problems.
        UsageError: its files do not stop changing.
    """
    known: tuple[Path, ...] = ()
    for _ in range(_TRIES):
        files = tuple(dict.fromkeys((*survey(path), *known)))
        seen = stamps(files)
        version = version_of(path, files)
        rules = _rules_version(path, files)
        config = load(path)
        known = tuple(map(Path, config.files))
        if set(known) <= set(files) and version_of(path, files) == version:
            return Loaded(config, path, version, files, seen, rules)
    raise UsageError(f"{path}: the files of the configuration changed while they were read")


def version_of(path: Path, files: tuple[Path, ...]) -> str:
    """Return a short hash of what stands in the files of a configuration."""
    whole = blake2b(digest_size=_VERSION_BYTES)
    for file in files:
        content = _content(file)
        whole.update(f"{os.path.relpath(file, path.parent)}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
        whole.update(content)
    return whole.hexdigest()


def _rules_version(path: Path, files: tuple[Path, ...]) -> str:
    value = _value(path)
    routes = value.get("routes") if isinstance(value, dict) else None
    whole = blake2b(repr(routes).encode("utf-8", "surrogatepass"), digest_size=_VERSION_BYTES)
    whole.update(version_of(path, tuple(file for file in files if file != path)).encode())
    return whole.hexdigest()


def _content(file: Path) -> bytes:
    """Return what stands in a file; for a folder, the names of its route files; nothing when it cannot be read."""
    try:
        if file.is_dir():
            return "\n".join(name.name for name in _route_files(file)).encode("utf-8", "surrogateescape")
        return file.read_bytes()
    except OSError:
        return b""


Stamps = dict[Path, tuple[object, ...] | None]


def stamps(files: tuple[Path, ...]) -> Stamps:
    """Return what changes when a file does, without reading it; None for one that is not there."""
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> tuple[object, ...] | None:
    try:
        if file.is_dir():
            return tuple(_route_files(file))
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


# --- which files -----------------------------------------------------------------------------------------


def survey(path: Path) -> tuple[Path, ...]:
    """Return the files that a configuration is read from, right or not, as far as they can be told.

    These are the file itself, its route files and their folders, and what they name by ``${file:…}`` or ``suppress``.
    """
    found = {path: None}
    value = _value(path)
    found |= dict.fromkeys(_named(value, path.parent))
    for entry in _listed(value):
        named = path.parent / _filled(entry)
        found[named] = None
        for file in _route_files(named) if named.is_dir() else [named]:
            found[file] = None
            if _may_name_files(file):
                found |= dict.fromkeys(_named(_value(file), file.parent))
    return tuple(found)


def _listed(value: Any) -> Iterator[str]:
    routes = value.get("routes") if isinstance(value, dict) else None
    yield from (entry for entry in (routes if isinstance(routes, list) else ()) if isinstance(entry, str))


def _filled(name: str) -> str:
    return _VARIABLE.sub(lambda match: os.environ.get(match[1], ""), name)


def _route_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])


def _value(path: Path) -> Any:
    try:
        return yamlfile.read(path).value
    except ConfigError:
        return None


def _may_name_files(path: Path) -> bool:
    text = _content(path).decode("utf-8", "replace")
    return any(word in text for word in _TELLTALES)


def _named(value: Any, folder: Path) -> Iterator[Path]:
    """Yield the files that a document names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "suppress":
                files = inner if isinstance(inner, list) else [inner]
                yield from (folder / _filled(file) for file in files if isinstance(file, str))
            yield from _named(inner, folder)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner, folder)
    elif isinstance(value, str) and "$" in value:
        yield from (folder / name for name in _FILE.findall(value))


# --- what needs a restart --------------------------------------------------------------------------------


def needing_restart(old: Checked, new: Checked, path: Path) -> list[Problem]:
    """Return what differs between two configurations and cannot be changed while the gateway runs."""
    keys = [
        key for section in RESTART_KEYS for key in _differing(getattr(old, section), getattr(new, section), section)
    ]
    if not keys:
        return []
    document = yamlfile.read(path)
    return [
        document.problem(
            tuple(key.split(".")),
            f"{key!r} cannot be changed while the gateway runs: restart it, or put back what it was",
        )
        for key in keys
    ]


def _differing(old: Any, new: Any, key: str) -> Iterator[str]:
    if not isinstance(old, Struct):
        if old != new:
            yield key
        return
    for name in old.__struct_fields__:
        yield from _differing(getattr(old, name), getattr(new, name), f"{key}.{name}")


def differences(old: Checked, new: Checked) -> list[str]:
    """Return what a person may want to hear of two configurations: sources, targets and rules."""
    told = [
        f"{what} {name}: {change}"
        for what, before, after in (("source", old.sources, new.sources), ("target", old.targets, new.targets))
        for name, change in _changes(before, after)
    ]
    told += [f"rule {name}: {change}" for name, change in _changes(_names(old), _names(new))]
    return told


def _names(config: Checked) -> dict[str, None]:
    return dict.fromkeys(rule.name for rule in config.rules)


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((name, "removed") for name in before if name not in after)
    for name, value in after.items():
        if name not in before:
            yield name, "added"
        elif before[name] != value:
            yield name, "changed"
