"""What is built is whole: the wheel holds the adapters and the vocabularies, and works away from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = f"import hatchling.build; print(hatchling.build.build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", build], cwd=ROOT, capture_output=True, text=True, check=True)
    return folder / done.stdout.split()[-1]


def test_the_wheel_holds_everything_that_runs_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    vendors = [path.parent.name for path in (ROOT / "adapters").glob("*/__init__.py")]
    assert {f"adapters/{vendor}/__init__.py" for vendor in vendors} <= names
    assert {f"mappings/vocabulary/{vendor}.yaml" for vendor in vendors} <= names
    assert "gateway/py.typed" in names
    tests = [name for name in names if "/tests/" in name or name.startswith("tests/")]
    assert [name for name in tests if not name.startswith("gateway/scaffold/")] == []


def test_the_wheel_holds_what_a_new_adapter_is_copied_from(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("gateway/scaffold/")}
    scaffold = ROOT / "src" / "gateway" / "scaffold"
    files = (path for path in scaffold.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert names == {f"gateway/scaffold/{path.relative_to(scaffold)}" for path in files}


def test_the_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    where = "import adapters, gateway, mappings; print(adapters.__file__, gateway.__file__, mappings.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert all(path.startswith(str(tmp_path)) for path in found.stdout.split())
    listed = subprocess.run(
        [sys.executable, "-m", "gateway", "adapters"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "klaviyo" in listed.stdout
    assert "blueshift" in listed.stdout


def test_the_lock_names_versions_and_hashes_and_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    for line in text.splitlines():
        assert line.startswith("    --hash=sha256:") or "==" in line, line


def test_the_lock_holds_all_that_the_project_asks_for() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(w for extra in project["optional-dependencies"].values() for w in extra)]
    locked = {line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
    names = {want.split(";")[0].split(">")[0].split("=")[0].split("[")[0].strip().lower() for want in wanted}
    assert names - {"event-gateway"} <= locked
