"""The shape of the house: who may import whom, how long a file may be, what may stand nowhere."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway import adapter as port

ROOT: Final = Path(__file__).parents[1]
LONGEST: Final = 400
"""Lines of code in a file of logic; what explains it does not count."""

VENDORS: Final = sorted(path.parent.name for path in (ROOT / "adapters").glob("*/__init__.py"))
CORE: Final = sorted((ROOT / "src" / "gateway").rglob("*.py"))
ADAPTERS: Final = sorted(path for path in (ROOT / "adapters").rglob("*.py") if "tests" not in path.parts)

PORT: Final = {"gateway.adapter", "gateway.event", "gateway.errors"}
PURE: Final = {
    "__future__", "base64", "binascii", "bisect", "collections", "dataclasses", "datetime", "decimal", "email", "enum",
    "functools", "hashlib", "hmac", "html", "http", "itertools", "json", "math", "msgspec", "operator", "re", "string",
    "sys", "typing", "types", "unicodedata", "urllib", "uuid", "zoneinfo",
}  # fmt: skip
"""Standard modules (and msgspec) that do nothing but compute."""

SKIPPED: Final = {"node_modules", "__pycache__", "dist", "data"}
PRIVATE: Final = re.compile(
    "|".join(["/" + "work/", r"(?<![\w-])" + "shared" + r"/\w", r"py" + r"pi\.(org|python)", "python" + "hosted",
              "registry" + r"\.npm", "proxy" + r"\.golang", "--(extra-)?" + "index-url"])
)  # fmt: skip
"""Paths of the machine it was made on, and hosts of package registries."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_point_one_way() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", CORE + ADAPTERS, ids=_name)
def test_a_file_is_short(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    explained = {line for text in _explanations(tree) for line in range(text.lineno, (text.end_lineno or 0) + 1)}
    lines = enumerate(path.read_text("utf-8").splitlines(), start=1)
    code = [line for number, line in lines if number not in explained and line.strip() and line.strip()[0] != "#"]
    assert len(code) <= LONGEST


def _explanations(tree: ast.AST) -> Iterator[ast.Expr]:
    """Yield docstrings, those of fields and constants among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node


@pytest.mark.parametrize("path", [path for path in CORE if "demo" not in path.parts], ids=_name)
def test_the_core_names_no_vendor(path: Path) -> None:
    """In its code; a docstring, which is also a command's help, may have one as an example."""
    tree = ast.parse(path.read_text("utf-8"))
    explained = {id(text.value) for text in _explanations(tree)}
    words = [
        node.value if isinstance(node, ast.Constant) else node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and id(node) not in explained)
    ]
    assert [word for word in words if any(vendor in str(word).lower() for vendor in VENDORS)] == []


@pytest.mark.parametrize("path", ADAPTERS, ids=_name)
def test_an_adapter_imports_the_port_and_what_only_computes(path: Path) -> None:
    own = f"adapters.{path.relative_to(ROOT / 'adapters').parts[0]}"
    foreign = [
        module
        for module in _imports(ast.parse(path.read_text("utf-8")))
        if module not in PORT and module.split(".")[0] not in PURE and not f"{module}.".startswith(f"{own}.")
    ]
    assert foreign == []


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules a file imports; relative ones are its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize("path", ADAPTERS, ids=_name)
def test_an_adapter_takes_only_public_names_of_the_port(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    taken = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "gateway.adapter"
        for alias in node.names
    }
    assert taken <= set(port.__all__)


def _texts() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(part in SKIPPED or (part[0] == "." and part != ".ci") for part in parts):
            yield path


def test_no_file_names_a_private_path_or_a_registry() -> None:
    found = []
    for path in _texts():
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{_name(path)}: {line.strip()[:80]}" for line in text.splitlines() if PRIVATE.search(line)]
    assert found == [], "\n".join(found)
