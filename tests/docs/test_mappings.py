"""The page about mappings does what it says, and the route files to copy do what their examples say."""

import json
import re
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main as gateway
from tests.docs.test_blocks import ROOT, blocks, run_shell

PAGE: Final = ROOT / "docs" / "mappings.md"
READY: Final = sorted((ROOT / "mappings/examples").glob("*.yaml"))
ENVIRON: Final = {
    "SHOP_KEY": "pk_of_the_shop",
    "APP_KEY": "key_of_the_app",
    "MAIL_KEY": "pk_of_mail",
    "CRM_KEY": "key_of_crm",
    "LOYALTY_KEY": "key_of_loyalty",
    "KLAVIYO_PRIVATE_KEY": "pk_of_klaviyo",
    "BLUESHIFT_EVENT_KEY": "key_of_blueshift",
    "SYNERISE_API_KEY": "key_of_synerise",
    "YESPO_API_KEY": "key_of_yespo",
    "VIBETRACE_API_KEY": "key_of_vibetrace",
}


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the page was followed; what its n-th block of commands printed is in `n.out`."""
    folder = tmp_path_factory.mktemp("mappings")
    done = run_shell("".join(_steps()), folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _steps() -> list[str]:
    """Return the page as a script: a block of YAML is the file that its first line names."""
    steps = []
    for number, (kind, text) in enumerate(blocks(PAGE)):
        if kind == "yaml":
            steps.append(f"cat > {text.split()[1]} <<'END OF BLOCK'\n{text}END OF BLOCK\n")
        elif kind == "sh":
            steps.append(f"{{\n{text}}} > {number}.out 2>&1 || {{ cat {number}.out; exit 1; }}\n")
    return steps


def _route_files() -> list[str]:
    return [text for kind, text in blocks(PAGE) if kind == "yaml" and text.startswith("# routes.yaml\n")]


def _check(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    monkeypatch.chdir(folder)
    return CliRunner().invoke(gateway, ["check", *options], env=ENVIRON)


@pytest.mark.parametrize("number", [number for number, (kind, _) in enumerate(blocks(PAGE)) if kind == "text"])
def test_the_page_shows_what_its_commands_print(tour: Path, number: int) -> None:
    """A line of three dots stands for anything that is left out."""
    printed = (tour / f"{number - 1}.out").read_text()
    shown = blocks(PAGE)[number][1]
    for part in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE):
        before, found, printed = printed.partition(part)
        assert found == part, before


@pytest.mark.parametrize("text", _route_files(), ids=lambda text: re.findall(r"(?<=name: )[\w-]+", text)[0])
def test_a_route_file_of_the_page_does_what_its_examples_say(
    tour: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tour / "routes.yaml").write_text(text)
    done = _check(tour, monkeypatch)
    assert done.exit_code == 0, done.output


def test_the_page_names_every_word_of_the_language() -> None:
    page = PAGE.read_text()
    schema = json.loads((ROOT / "mappings/schema/routes.json").read_text())
    words = {word for struct in schema["$defs"].values() for word in struct.get("properties", ())}
    assert words
    assert sorted(word for word in words if not re.search(rf"\b{word}\b", page)) == []


# --- the route files to copy -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in READY if path.stem != "gateway"], ids=lambda path: path.stem)
def test_a_ready_route_file_does_what_its_examples_say(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in the configuration beside it, in which it takes the place of the one that is named there."""
    for file in path.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = tmp_path / "gateway.yaml"
    config.write_text(re.sub(r"^routes: .*$", f"routes: [{path.name}]", config.read_text(), flags=re.MULTILINE))
    done = _check(tmp_path, monkeypatch, "--coverage", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert [rule["rule"] for rule in told["routes"]]
    assert told["examples"]["differ"] == 0
    assert told["coverage"]["rules_without_example"] == []
    assert told["coverage"]["unreachable_rules"] == []
    assert [note for one in told["examples"]["results"] for note in one["notes"] if "cannot be told" in note] == []
