"""Reads the rules of a configuration, and of the route files it names: every problem of each is found."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gateway import yamlfile
from gateway.config.checks import Found, Section
from gateway.errors import ConfigError, Problem
from gateway.routing import RuleEntry, Wrong, compile_rule
from gateway.shape_check import problems
from gateway.yamlfile import Document, Place

Fill = Callable[[Document, Any, Path], Any]
"""(document, its value, folder) -> the value with variables filled in."""


class Written(NamedTuple):
    """A rule of the right shape, as it stands in a file."""

    section: Section
    folder: Path
    """What its relative paths are relative to."""


class RouteReader:
    """Collects rules, and what is wrong with them."""

    def __init__(self, fill: Fill) -> None:
        self.found: list[Problem] = []
        self._fill = fill

    def read(self, document: Document, value: Any, folder: Path) -> list[Written]:
        """Return the rules of a configuration, in their order, but for those whose shape is wrong."""
        routes = value.get("routes") if isinstance(value, dict) else None
        rules: list[Written] = []
        for index, entry in enumerate(routes if isinstance(routes, list) else ()):
            place = ("routes", index)
            if isinstance(entry, str):
                for path in self._files(document, place, folder / entry):
                    rules += self._file(path)
            else:
                rules += self._rule(document, entry, place, folder)
        return rules

    def _files(self, document: Document, place: Place, path: Path) -> list[Path]:
        if path.is_dir():
            files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
            if not files:
                self.found.append(document.problem(place, f"no .yaml files in {path}"))
            return files
        if not path.is_file():
            self.found.append(document.problem(place, f"no such file: {path}"))
            return []
        return [path]

    def _file(self, path: Path) -> Iterator[Written]:
        try:
            document = yamlfile.read(path)
        except ConfigError as error:
            self.found += error.problems
            return
        self.found += document.problems
        value = self._fill(document, document.value, path.parent)
        if not isinstance(value, list):
            self.found += problems(document, value, list[RuleEntry])
            return
        for index, entry in enumerate(value):
            yield from self._rule(document, entry, (index,), path.parent)

    def _rule(self, document: Document, entry: Any, place: Place, folder: Path) -> Iterator[Written]:
        wrong = list(problems(document, entry, RuleEntry, place))
        self.found += wrong
        if not wrong:
            yield Written(Section(document, entry, place), folder)


def compiled(written: list[Written], found: list[Problem]) -> Found:
    """Return the rules, each with where it stands; every problem of theirs is added to `found`."""
    rules: Found = []
    for section, folder in written:
        wrong: list[Wrong] = []
        rules.append((compile_rule(section.value, folder, wrong.append), section))
        found += [_problem(section, one) for one in wrong]
    return rules


def _problem(section: Section, wrong: Wrong) -> Problem:
    place = (*section.place, *wrong.place)
    if wrong.offset is None:
        return section.document.problem(place, wrong.message, at_key=wrong.at_key)
    return section.document.within(place, wrong.offset, wrong.message)
