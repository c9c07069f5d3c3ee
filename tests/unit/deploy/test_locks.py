"""The lock files of the image: in step with requirements.lock, and holding what runs or builds, no more."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ENTRY = re.compile(r"^(\S+)==(\S+)((?: ; .*)?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def locked(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    text = (ROOT / name).read_text()
    found = {match[1]: (match[2], frozenset(re.findall(r"sha256:\w+", match[4]))) for match in ENTRY.finditer(text)}
    assert len(found) == len(re.findall(r"^\S+==", text, re.MULTILINE))
    return found


def closure(wanted: list[str]) -> set[str]:
    """Return the names of packages, and of all that these need on this machine."""
    found: set[str] = set()
    ahead = [Requirement(one) for one in wanted]
    while ahead:
        one = ahead.pop()
        name = canonicalize_name(one.name)
        if name in found or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        ahead += [Requirement(needed) for needed in distribution(name).requires or []]
    return found


@pytest.mark.parametrize("name", ["deploy/runtime.lock", "deploy/build.lock"])
def test_it_is_in_step_with_the_whole_lock(name: str) -> None:
    """The same versions with the same hashes, and no registry's host."""
    assert locked(name).items() <= locked("requirements.lock").items()
    assert "://" not in (ROOT / name).read_text()


def test_the_runtime_lock_holds_what_runs_and_no_more() -> None:
    project = PROJECT["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["jetstream"]]
    assert closure(wanted) == locked("deploy/runtime.lock").keys()


def test_the_build_lock_holds_what_builds_and_no_more() -> None:
    assert closure(PROJECT["build-system"]["requires"]) == locked("deploy/build.lock").keys()
