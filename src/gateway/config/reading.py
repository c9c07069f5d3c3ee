"""Reads `gateway.yaml` and the route files it names: variables filled in, problems collected, secrets masked."""

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway import yamlfile
from gateway.config.checks import Found, check, check_rules
from gateway.config.model import Checked, Config, LogConfig
from gateway.config.routes import RouteReader, compiled
from gateway.errors import ConfigError, Problem
from gateway.shape_check import problems
from gateway.yamlfile import Document, Place


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Checked:
    """Read and check a configuration.

    Raises:
        ConfigError: with all its problems, and those of the route files it names.
    """
    return load_with_places(path, environ)[0]


def load_with_places(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Checked, Found]:
    """Read and check a configuration, and tell where each of its rules stands.

    Raises:
        ConfigError: as `load` does.
    """
    document = yamlfile.read(path)
    found = list(document.problems)
    value = _substituted(document, document.value, (), environ, path.parent, found)
    shape = list(problems(document, _without_rules(value), Config))

    def fill(document: Document, value: Any, folder: Path) -> Any:
        return _substituted(document, value, (), environ, folder, found)

    reader = RouteReader(fill)
    written = reader.read(document, value, path.parent)
    rules = compiled(written, reader.found)
    found += shape + reader.found
    if shape or not isinstance(value, dict):
        raise ConfigError(_masked(found, document.value, value))
    checked = _checked(msgspec.convert({**value, "routes": []}, Config), path, rules)
    found += check(document, checked)
    found += check_rules(rules, checked)
    if found:
        raise ConfigError(_masked(found, document.value, value))
    return checked, rules


def _without_rules(value: Any) -> Any:
    """Return a document whose rules are looked at one by one."""
    if not isinstance(value, dict) or not isinstance(value.get("routes"), list):
        return value
    return {**value, "routes": [one if isinstance(one, str) else "" for one in value["routes"]]}


def _checked(config: Config, path: Path, rules: Found) -> Checked:
    given = {name: getattr(config, name) for name in Config.__struct_fields__}
    given["log"] = _absolute(config.log, path.parent)
    files = dict.fromkeys([str(path), *(section.document.name for _, section in rules)])
    return Checked(**given, rules=tuple(rule for rule, _ in rules), files=tuple(files))


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
            yield from _credentials(inner, inside or key in ("credentials", "token", "password"))
    elif isinstance(value, list):
        for inner in value:
            yield from _credentials(inner, inside)
    elif inside and value is not None and len(str(value)) >= _SHORTEST_SECRET and "${" not in str(value):
        yield str(value)
    elif isinstance(value, str) and (userinfo := _USERINFO.search(value)):
        yield userinfo[1]


_SHORTEST_SECRET: Final = 4
_USERINFO: Final = re.compile(r"://([^/@\s]{4,})@")
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
    def at(path: str) -> str:
        return str((folder / path).absolute())

    if (jetstream := log.jetstream) is not None:
        credentials = None if jetstream.credentials is None else at(jetstream.credentials)
        jetstream = msgspec.structs.replace(jetstream, view=at(jetstream.view), credentials=credentials)
    return msgspec.structs.replace(log, sqlite=None if log.sqlite is None else at(log.sqlite), jetstream=jetstream)
