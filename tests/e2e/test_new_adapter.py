"""``gateway new-adapter``: what it writes works and is tested, on the shelf and in a drop-in folder; or nothing is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import registry
from gateway.cli import main
from gateway.cli.new_adapter import DROP_IN_VOCABULARY, TEMPLATE

ROOT = Path(__file__).parents[2]
NAME = "north_star"
LONGEST = "abcdefghijklmno_pqrstuvwxyz012"


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != registry.DROP_IN}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**clean, **environ},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def right(*arguments: str, cwd: Path, **environ: str) -> str:
    done = run(*arguments, cwd=cwd, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the checkout."""
    fork = tmp_path_factory.mktemp("fork")
    for name in ("adapters", "mappings", "src", "tests"):
        shutil.copytree(ROOT / name, fork / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    shutil.copy(ROOT / "pyproject.toml", fork)
    return fork


# --- a drop-in folder ------------------------------------------------------------------------------------


def test_a_drop_in_works_and_its_tests_pass(tmp_path: Path) -> None:
    printed = right("gateway", "new-adapter", NAME, cwd=tmp_path)
    wrote = {line.removeprefix("wrote ") for line in printed.splitlines() if line.startswith("wrote ")}
    assert wrote == files(tmp_path)
    folder = re.search(r"export GATEWAY_ADAPTERS_DIR=(\S+)", printed)
    assert folder is not None
    there = {"GATEWAY_ADAPTERS_DIR": folder[1]}
    assert "North Star: https://api.north-star.example" in right("gateway", "adapters", NAME, cwd=tmp_path, **there)
    tests = str(tmp_path / "adapters" / NAME / "tests")
    right("pytest", "-q", "-p", "no:cacheprovider", tests, cwd=tmp_path, **there)
    left = [path for path in tmp_path.rglob("*.*") if "acme" in path.name or "acme" in path.read_text().lower()]
    assert [path for path in left if path.suffix != ".pyc"] == []


def test_the_folder_may_be_chosen(tmp_path: Path) -> None:
    right("gateway", "new-adapter", "one", "--into", "here/vendors", cwd=tmp_path)
    right("gateway", "new-adapter", "two", cwd=tmp_path, GATEWAY_ADAPTERS_DIR=str(tmp_path / "here" / "vendors"))
    assert {path.name for path in (tmp_path / "here" / "vendors").iterdir()} >= {"one", "two"}


# --- the shelf -------------------------------------------------------------------------------------------


def test_on_the_shelf_it_passes_every_check(fork: Path) -> None:
    """Format, lint and the rules of the house, under short and long names; the contract suite."""
    here = {"PYTHONPATH": f"{fork / 'src'}{os.pathsep}{fork}", "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("ab", NAME, LONGEST):
        printed = right("gateway", "new-adapter", name, cwd=fork, **here)
        assert f"wrote mappings/vocabulary/{name}.yaml" in printed
        assert "export" not in printed
        right("ruff", "check", f"adapters/{name}", cwd=fork)
        right("ruff", "format", "--check", f"adapters/{name}", cwd=fork)
    options = ("-q", "-p", "no:cacheprovider", "-k", NAME)
    rules = "tests/test_architecture.py"
    passed = right("pytest", *options, rules, "tests/contract", f"adapters/{NAME}", cwd=fork, **here)
    assert " passed" in passed
    assert "failed" not in passed


# --- nothing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Acme", "'Acme' is no name for an adapter"),
        ("2fast", "'2fast' is no name"),
        ("a-b", "'a-b' is no name"),
        ("a__b", "'a__b' is no name"),
        ("ends_", "'ends_' is no name"),
        ("../up", "'../up' is no name"),
        ("class", "'class' is no name"),
        ("é", "'é' is no name"),
        (f"{LONGEST}3", "is no name"),
        ("klaviyo", "there is an adapter called 'klaviyo' already"),
        ("taken", "adapters/taken is there already"),
    ],
)
def test_a_name_that_cannot_be_had_leaves_nothing_behind(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "adapters" / "taken").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(registry.DROP_IN, raising=False)
    done = CliRunner().invoke(main, ["new-adapter", name])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["adapters", "taken"]


def test_a_folder_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("gateway", "new-adapter", NAME, "--into", "file/below", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"{NAME} cannot be written" in done.stderr
    assert files(tmp_path) == {"file"}


def test_a_vocabulary_that_is_there_is_kept_and_nothing_else_written(tmp_path: Path) -> None:
    shelf, names = tmp_path / "adapters", tmp_path / "mappings" / "vocabulary"
    shelf.mkdir()
    names.mkdir(parents=True)
    (shelf / "__init__.py").write_text("")
    (names / f"{NAME}.yaml").write_text("mine")
    done = run("gateway", "new-adapter", NAME, cwd=tmp_path)
    assert done.returncode == 2
    assert files(tmp_path) == {"adapters/__init__.py", f"mappings/vocabulary/{NAME}.yaml"}
    assert (names / f"{NAME}.yaml").read_text() == "mine"


def test_a_vocabulary_without_its_folder_is_taken_back(tmp_path: Path) -> None:
    shelf, names = tmp_path / "adapters", tmp_path / "mappings" / "vocabulary"
    (shelf / NAME).mkdir(parents=True)
    names.mkdir(parents=True)
    (shelf / "__init__.py").write_text("")
    assert run("gateway", "new-adapter", NAME, cwd=tmp_path).returncode == 2
    assert files(tmp_path) == {"adapters/__init__.py"}


def test_what_tells_the_shelf_from_a_drop_in_stands_in_the_template() -> None:
    wire = (ROOT / "src" / "gateway" / "scaffold" / TEMPLATE / "wire.py").read_text()
    assert wire.count(DROP_IN_VOCABULARY) == 1
