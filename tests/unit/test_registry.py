"""Adapters are found on the shelf, in installed packages and in a drop-in folder; what is wrong is never hidden."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import registry
from gateway.adapter import Adapter
from gateway.errors import AdapterError
from tests.contract.adapter_cases import EXAMPLES, ROOT, everyone

everyone()  # now, so that the adapters below can be made of one that is there
ADAPTER = """
import msgspec
from tests.contract.adapter_cases import everyone
ADAPTER = msgspec.structs.replace(everyone()["acme"], slug={slug!r})
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with no drop-in folder, and leave nothing remembered or imported."""
    monkeypatch.delenv(registry.DROP_IN, raising=False)
    before = set(sys.modules)
    registry.adapters.cache_clear()
    yield
    registry.adapters.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith(("_gateway_adapters_", "a_shelf", "a_package")):
            del sys.modules[name]


def _package(folder: Path, name: str, code: str) -> Path:
    path = folder / name / "__init__.py"
    path.parent.mkdir(parents=True)
    path.write_text(code, "utf-8")
    return folder


def _distribution(folder: Path, entries: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a fake installed distribution, and what lies beside it, on the path."""
    info = folder / "somebody-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 0.1\n", "utf-8")
    (info / "entry_points.txt").write_text(entries, "utf-8")
    monkeypatch.syspath_prepend(str(folder))


def test_every_folder_of_the_shelf_is_found() -> None:
    folders = {path.parent.name for path in (ROOT / "adapters").glob("*/__init__.py")}
    assert set(registry.adapters()) == folders
    assert list(registry.adapters()) == sorted(folders)
    assert all(isinstance(found, Adapter) and found.slug == slug for slug, found in registry.adapters().items())


def test_adapters_are_imported_once() -> None:
    assert registry.adapters() is registry.adapters()


def test_an_installed_package_adds_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(tmp_path, "a_package", ADAPTER.format(slug="third"))
    _distribution(tmp_path, "[gateway.adapters]\nthird = a_package:ADAPTER\n", monkeypatch)
    assert registry.adapter("third").slug == "third"


def test_an_installed_package_may_bring_a_shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(tmp_path, "a_shelf", "")
    _package(tmp_path / "a_shelf", "one", ADAPTER.format(slug="one"))
    (tmp_path / "a_shelf" / "helper.py").write_text("", "utf-8")
    _distribution(tmp_path, "[gateway.shelves]\nmore = a_shelf\n", monkeypatch)
    assert registry.adapter("one").slug == "one"


def test_a_drop_in_folder_adds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.DROP_IN, str(EXAMPLES))
    assert registry.adapter("acme").title == "Acme"


def test_a_drop_in_may_have_modules_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(tmp_path, "own", "from .names import SLUG\n" + ADAPTER.format(slug="own").replace("'own'", "SLUG"))
    (tmp_path / "own" / "names.py").write_text("SLUG = 'own'\n", "utf-8")
    (tmp_path / "notes.txt").write_text("no adapter", "utf-8")
    monkeypatch.setenv(registry.DROP_IN, str(tmp_path))
    assert "own" in registry.adapters()


def _message() -> str:
    with pytest.raises(AdapterError) as caught:
        registry.adapters()
    return str(caught.value)


def test_two_of_one_name_are_an_error_that_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(tmp_path, "one", ADAPTER.format(slug="same"))
    _package(tmp_path, "two", ADAPTER.format(slug="same"))
    monkeypatch.setenv(registry.DROP_IN, str(tmp_path))
    assert _message() == f"two adapters are called 'same': {tmp_path / 'one'} and {tmp_path / 'two'}"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nothing_like_this", "does not import: ModuleNotFoundError(\"No module named 'nothing_like_this'\")"),
        ("1 / 0", "does not import: ZeroDivisionError('division by zero')"),
        ("ADAPTER = (", "does not import: SyntaxError("),
        ("ADAPTERS = 1", "has no ADAPTER"),
        ("ADAPTER = 1", "ADAPTER is a int, not a gateway.adapter.Adapter"),
    ],
)
def test_a_broken_drop_in_is_an_error_that_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    _package(tmp_path, "broken", code)
    monkeypatch.setenv(registry.DROP_IN, str(tmp_path))
    found = _message()
    assert str(tmp_path / "broken") in found
    assert message in found


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("a_package:ADAPTER", "a_package:ADAPTER (package somebody) does not load: ValueError('no')"),
        ("a_package_that_is_not:ADAPTER", "does not load: ModuleNotFoundError("),
    ],
)
def test_a_broken_package_is_an_error_that_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, message: str
) -> None:
    _package(tmp_path, "a_package", "raise ValueError('no')")
    _distribution(tmp_path, f"[gateway.adapters]\nthird = {entry}\n", monkeypatch)
    assert message in _message()


def test_a_broken_shelf_is_an_error_that_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(tmp_path, "a_shelf", "")
    _package(tmp_path / "a_shelf", "one", "raise ValueError('no')")
    _distribution(tmp_path, "[gateway.shelves]\nmore = a_shelf\n", monkeypatch)
    assert _message() == "a_shelf.one does not import: ValueError('no')"


def test_a_shelf_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _distribution(tmp_path, "[gateway.shelves]\nmore = a_shelf_that_is_not\n", monkeypatch)
    assert "a_shelf_that_is_not does not import" in _message()


def test_a_drop_in_folder_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.DROP_IN, str(tmp_path / "none"))
    assert _message() == f"GATEWAY_ADAPTERS_DIR names {tmp_path / 'none'}, which is no folder"


def test_no_adapters_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: ())
    assert "no adapters found" in _message()


def test_an_unknown_name_gets_the_nearest() -> None:
    first = next(iter(registry.adapters()))
    with pytest.raises(AdapterError, match=f"did you mean '{first}'"):
        registry.adapter(first[:-1])


def test_a_name_like_no_other_gets_all_of_them() -> None:
    with pytest.raises(AdapterError, match=f"known: {', '.join(registry.adapters())}"):
        registry.adapter("qqqqqqqq")
