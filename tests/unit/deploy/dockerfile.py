"""A Dockerfile, and what its context holds: as much of both as is needed here."""

import json
import re
import shlex
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
FILE: Final = ROOT / "deploy" / "Dockerfile"


@dataclass
class Stage:
    """What follows one FROM."""

    image: str
    name: str = ""
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """Return what stands behind each instruction of a kind."""
        return [rest for instruction, rest in self.steps if instruction == word]

    def one(self, word: str) -> str:
        """Return what stands behind the only instruction of a kind."""
        (found,) = self.all(word)
        return found

    def exec_form(self, word: str) -> list[str]:
        """Return a command that needs no shell."""
        found: list[str] = json.loads(self.one(word).partition("CMD ")[2] or self.one(word))
        return found

    def environment(self) -> dict[str, str]:
        """Return what ENV sets."""
        return dict(pair.split("=", 1) for rest in self.all("ENV") for pair in shlex.split(rest))


def stages() -> list[Stage]:
    """Return the stages of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", "")
    found: list[Stage] = []
    for line in filter(None, text.splitlines()):
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            found.append(Stage(image, name))
        elif found:
            found[-1].steps.append((word, rest.strip()))
    return found


def ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a path out of the context: the last line that fits holds."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and _fits(path, line.removeprefix("!")):
            out = not line.startswith("!")
    return out


def _fits(path: str, pattern: str) -> bool:
    """Tell whether a path or a folder above it fits; ``**/`` stands for any folders, ``*`` for no slash."""
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern[3:]) for part in parts)
    return any(one.count("/") == pattern.count("/") and fnmatch(one, pattern) for one in above)


def copied(stage: Stage) -> list[str]:
    """Return what a stage copies from the context."""
    lines = [shlex.split(rest) for rest in stage.all("COPY") if "--from=" not in rest]
    return [source.rstrip("/") for line in lines for source in line[:-1]]


def context() -> list[Path]:
    """Return the files that the builder's stage copies, as far as .dockerignore lets them in."""
    found = []
    for source in copied(stages()[0]):
        path = ROOT / source
        inside = path.rglob("*") if path.is_dir() else [path]
        found += [file for file in inside if file.is_file() and not ignored(str(file.relative_to(ROOT)))]
    return found
