"""``gateway new-adapter``: the beginning of a vendor, which works and is tested."""

import keyword
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import click

from gateway import registry
from gateway.errors import UsageError

TEMPLATE: Final = "acme"
"""The vendor that the new one is a copy of; it stands in ``gateway/scaffold`` and passes every test."""

GUIDE: Final = "docs/adding-a-vendor.md"

_NAME: Final = re.compile(r"(?=.{1,30}$)[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SPELLED: Final = re.compile(r"acme\.example|x-acme|X-Acme|acme|ACME|Acme")
_VOCABULARY: Final = "vocabulary.yaml"
DROP_IN_VOCABULARY: Final = 'load_vocabulary(SLUG, __name__.rpartition(".")[0])'
SHELF_VOCABULARY: Final = "load_vocabulary(SLUG)"


@click.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=registry.DROP_IN,
    show_envvar=True,
    default=Path("adapters"),
    show_default=True,
    help="The folder of adapters that gets a new one.",
)
def new_adapter(name: str, into: Path) -> None:
    """Write the beginning of an adapter called NAME: small, complete, and tested.

    It speaks the API of an invented vendor both ways, with names, numbers, recorded requests and tests; change it
    into yours step by step. A checkout of the gateway has its vendors in the folder adapters and their names in
    mappings/vocabulary; any other folder is a drop-in folder, which GATEWAY_ADAPTERS_DIR names.

    \b
    Examples:
      gateway new-adapter beacon
      gateway new-adapter beacon --into ~/vendors
    """
    _check(name)
    on_shelf = _is_shelf(into)
    try:
        written = _write(into, _files(name, into, on_shelf=on_shelf))
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {error}") from None
    for path in written:
        click.echo(f"wrote {path}")
    click.echo(f"\n{_next(name, into, on_shelf=on_shelf)}")


def _check(name: str) -> None:
    """Make sure that a vendor can be called this.

    Raises:
        UsageError: it is no identifier, or somebody is called that.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} is no name for an adapter; one is like my_vendor: up to 30 of a-z, 0-9 and single _"
        )
    if name in registry.adapters():
        raise UsageError(f"there is an adapter called {name!r} already; gateway adapters lists them all")


def _is_shelf(into: Path) -> bool:
    """Tell whether a folder is the shelf of a checkout, whose vocabularies stand elsewhere."""
    return (into / "__init__.py").is_file() and _vocabularies(into).is_dir()


def _vocabularies(into: Path) -> Path:
    return into.parent / "mappings" / "vocabulary"


# --- what is written -------------------------------------------------------------------------------------


def _files(name: str, into: Path, *, on_shelf: bool) -> Mapping[Path, str]:
    """Return every file of the new adapter and what stands in it."""
    root = resources.files("gateway") / "scaffold" / TEMPLATE
    found = {into / name / path: _renamed(file.read_text("utf-8"), name) for path, file in _templates(root, Path())}
    if on_shelf:
        found[_vocabularies(into) / f"{name}.yaml"] = found.pop(into / name / _VOCABULARY)
        wire = into / name / "wire.py"
        found[wire] = found[wire].replace(DROP_IN_VOCABULARY, SHELF_VOCABULARY)
    return found


def _templates(folder: Traversable, at: Path) -> Iterator[tuple[Path, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_file():
            yield at / entry.name, entry
        elif entry.name != "__pycache__":
            yield from _templates(entry, at / entry.name)


def _renamed(text: str, name: str) -> str:
    """Return a template's text about another vendor: as a host, in a header, in code, and in prose."""
    words = name.split("_")
    title = " ".join(word.capitalize() for word in words)
    spellings = {
        "acme.example": f"{'-'.join(words)}.example",
        "x-acme": f"x-{'-'.join(words)}",
        "X-Acme": f"X-{title.replace(' ', '-')}",
        "acme": name,
        "ACME": name.upper(),
        "Acme": title,
    }
    return _SPELLED.sub(lambda found: spellings[found[0]], text)


def _write(into: Path, files: Mapping[Path, str]) -> list[Path]:
    """Write all files or none; the adapter's folder appears as a whole.

    Raises:
        OSError: a file or folder is there already, or cannot be written.
    """
    into.mkdir(parents=True, exist_ok=True)
    beside = [path for path in files if not path.is_relative_to(into)]
    made: list[Path] = []
    with tempfile.TemporaryDirectory(dir=into, prefix=".new-") as staged:
        for path, text in files.items():
            if path not in beside:
                _put(Path(staged) / path.relative_to(into), text)
        try:
            for path in beside:
                _put(path, files[path])
                made.append(path)
            _move(Path(staged), into)
        except OSError:
            for path in made:
                path.unlink()
            raise
    return sorted(files)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def _move(staged: Path, into: Path) -> None:
    (folder,) = staged.iterdir()
    if (into / folder.name).exists():
        raise FileExistsError(f"{into / folder.name} is there already")
    folder.rename(into / folder.name)


# --- what to do next -------------------------------------------------------------------------------------


def _next(name: str, into: Path, *, on_shelf: bool) -> str:
    own = shlex.quote(str(into / name / "tests"))
    lines = [f"gateway adapters {name}", f"gateway sandbox {name}", f"python -m pytest {own}"]
    contract = f"python -m pytest tests/contract -k {name}"
    if on_shelf:
        lines.append(contract)
    else:
        lines.insert(0, f"export {registry.DROP_IN}={shlex.quote(str(into.absolute()))}")
        lines.append(f"{contract}      # in a checkout of the gateway")
    steps = "\n".join(f"  {line}" for line in lines)
    return f"It works as it is; look at it, and change it into your vendor ({GUIDE}):\n{steps}"
