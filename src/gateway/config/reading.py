"""Reads `gateway.yaml` and the route files it names: variables filled in, problems collected, secrets masked."""

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway import yamlfile
from gateway.config.checks import Section, check, check_rules
from gateway.config.model import Checked, Config, LogConfig
from gateway.errors import ConfigError, Problem
from gateway.routing import Rule, RuleEntry, Wrong, compile_rule
from gateway.shape_check import problems
from gateway.yamlfile import Document, Place


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Checked:
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
    written = _rules(document, value, path.parent, environ, found)
    config = msgspec.convert({**value, "routes": []}, Config)
    rules = tuple(compiled(written, found))
    checked = _checked(config, path.parent, rules, [document.name, *(one.section.document.name for one in written)])
    found += check(document, checked)
    found += check_rules(list(zip(rules, [one.section for one in written], strict=True)), checked)
    if found:
        raise ConfigError(_masked(found, document.value, value))
    return checked


def _checked(config: Config, folder: Path, rules: tuple[Rule, ...], files: list[str]) -> Checked:
    given = {name: getattr(config, name) for name in Config.__struct_fields__}
    given["log"] = _absolute(config.log, folder)
    return Checked(**given, rules=rules, files=tuple(dict.fromkeys(files)))


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


# --- routes ---


class _Written(NamedTuple):
    """A rule as it stands in a file."""

    section: Section
    folder: Path
    """What its relative paths are relative to."""


def compiled(written: list[_Written], found: list[Problem]) -> Iterator[Rule]:
    """Yield the rules, and report every problem where it stands."""
    for section, folder in written:
        wrong: list[Wrong] = []
        yield compile_rule(section.value, folder, wrong.append)
        found += [_problem(section, one) for one in wrong]


def _problem(section: Section, wrong: Wrong) -> Problem:
    place = (*section.place, *wrong.place)
    if wrong.offset is None:
        return section.document.problem(place, wrong.message, at_key=wrong.at_key)
    return section.document.within(place, wrong.offset, wrong.message)


def _rules(
    document: Document, value: Any, folder: Path, environ: Mapping[str, str], found: list[Problem]
) -> list[_Written]:
    rules: list[_Written] = []
    for index, entry in enumerate(value.get("routes", [])):
        place = ("routes", index)
        if isinstance(entry, str):
            for path in _route_files(document, place, folder / entry, found):
                rules += _rule_file(path, environ, found)
        else:
            rules.append(_Written(Section(document, entry, place), folder))
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


def _rule_file(path: Path, environ: Mapping[str, str], found: list[Problem]) -> list[_Written]:
    try:
        document = yamlfile.read(path)
    except ConfigError as error:
        found += error.problems
        return []
    before = len(found)
    found += document.problems
    value = _substituted(document, document.value, (), environ, path.parent, found)
    found += problems(document, value, list[RuleEntry])
    if len(found) > before:
        return []
    return [_Written(Section(document, entry, (index,)), path.parent) for index, entry in enumerate(value)]
