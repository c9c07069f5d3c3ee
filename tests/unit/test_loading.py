"""What a configuration is read from, its version, and what of it cannot change while the gateway runs."""

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.loading import differences, load_whole, needing_restart, stamps, survey, version_of

WHOLE = """
log: {sqlite: gateway.db}
sources:
  shop:
    vendor: acme
    credentials: [{api_key: "${file:secrets/shop.key}"}]
targets:
  crm: {vendor: acme, credentials: {api_key: target-key}}
routes:
  - routes
  - {name: last, drop: nobody wants it}
"""


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LISTS", "lists")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/shop.key").write_text("key-of-the-shop")
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes/a.yaml").write_text("- {name: a, to: crm, suppress: [../one.txt, '../${LISTS}/two.txt']}\n")
    (tmp_path / "routes/b.yml").write_text("- {name: b, to: crm}\n")
    (tmp_path / "one.txt").write_text("p@example.com\n")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/two.txt").write_text("")
    path = tmp_path / "gateway.yaml"
    path.write_text(WHOLE.replace("acme", "blueshift").replace("api_key", "event_api_key"))
    return path


def names(files: tuple[Path, ...], folder: Path) -> set[str]:
    return {str(file.resolve().relative_to(folder.resolve())) for file in files}


def test_every_file_is_known_and_every_change_is_another_version(whole: Path) -> None:
    folder = whole.parent
    loaded = load_whole(whole)
    read = {"gateway.yaml", "secrets/shop.key", "routes/a.yaml", "routes/b.yml", "one.txt", "lists/two.txt"}
    assert names(loaded.files, folder) == read | {"routes"}
    assert load_whole(whole).version == loaded.version
    versions = {loaded.version}
    before = loaded.stamps
    for name in sorted(read):
        with (folder / name).open("a") as file:
            file.write("\n# more\n" if name.endswith(("yaml", "yml")) else "more\n")
        now = stamps(loaded.files)
        assert now != before
        before = now
        versions.add(load_whole(whole).version)
    (folder / "routes/c.yaml").write_text("[]\n")
    assert stamps(loaded.files) != before
    versions.add(load_whole(whole).version)
    assert len(versions) == len(read) + 2


def test_rules_may_only_differ_where_their_version_does(whole: Path) -> None:
    rules = {load_whole(whole).rules}
    whole.write_text(whole.read_text().replace("crm: {", "crm: {concurrency: 3, "))
    rules.add(load_whole(whole).rules)
    assert len(rules) == 1
    whole.write_text(whole.read_text().replace("nobody wants it", "nobody"))
    rules.add(load_whole(whole).rules)
    (whole.parent / "routes/b.yml").write_text("- {name: b, to: [{target: crm, name: c}]}\n")
    rules.add(load_whole(whole).rules)
    assert len(rules) == 3


def test_the_version_does_not_depend_on_where_the_files_are(tmp_path: Path) -> None:
    versions = set()
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "gateway.yaml").write_text("x: 1\n")
        versions.add(version_of(folder / "gateway.yaml", (folder / "gateway.yaml",)))
    assert len(versions) == 1


def test_files_are_told_as_far_as_they_can_be_when_something_is_wrong(whole: Path) -> None:
    folder = whole.parent
    (folder / "routes/a.yaml").write_text("- [\n")
    assert names(survey(whole), folder) == {
        "gateway.yaml",
        "secrets/shop.key",
        "routes",
        "routes/a.yaml",
        "routes/b.yml",
    }
    whole.write_text("routes: [missing.yaml, 7]\nlog: [\n")
    assert survey(whole) == (whole,)
    whole.write_text("routes: [missing.yaml, 7]\n")
    assert survey(whole) == (whole, folder / "missing.yaml")
    assert stamps(survey(whole))[folder / "missing.yaml"] is None
    with pytest.raises(ConfigError):
        load_whole(whole)


def test_what_cannot_change_is_told_by_its_key_and_line(whole: Path) -> None:
    old = load_whole(whole)
    assert needing_restart(old.config, load_whole(whole).config, whole) == []
    text = whole.read_text().replace("{sqlite: gateway.db}", "{sqlite: gateway.db, duplicates: {hours: 1}}")
    whole.write_text(text + "admin: {port: 7, token: t0ps3cret}\n")
    found = needing_restart(old.config, load_whole(whole).config, whole)
    assert [problem.message.split(" ")[0] for problem in found] == [
        "'admin.port'",
        "'admin.token'",
        "'log.duplicates.hours'",
    ]
    assert [problem.line for problem in found] == [12, 12, 2]


def test_what_differs_is_told_by_names(whole: Path) -> None:
    old = load_whole(whole).config
    (whole.parent / "secrets/shop.key").write_text("another")
    (whole.parent / "routes/b.yml").write_text("- {name: c, to: crm}\n")
    whole.write_text(
        whole.read_text().replace("  crm:", "  new: {vendor: klaviyo, credentials: {private_key: k}}\n  crm:")
    )
    new = load_whole(whole).config
    assert differences(old, new) == ["source shop: changed", "target new: added", "rule b: removed", "rule c: added"]
    assert differences(new, new) == []
