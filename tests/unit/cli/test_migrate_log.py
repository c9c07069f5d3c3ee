"""``gateway migrate-log``: what it says while it works, and of what it is not told well."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli import migrate_log as module

SOURCES = {"shop": {"vendor": "klaviyo", "credentials": [{"private_key": "pk_1"}]}}
LOGS = {"sqlite": "gateway.db", "jetstream": {"servers": ["nats://127.0.0.1:1"]}}


def test_progress_is_told_as_it_changes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(module, "TELL_EVERY_S", 0.01)

    async def work() -> None:
        async with module._told(quiet=False) as progress:
            for done in (25 << 20, 25 << 20, 100 << 20):
                progress.tell("sending", done, 100 << 20)
                await asyncio.sleep(0.1)
            progress.tell("putting in place", 0, 0)
            await asyncio.sleep(0.1)

    asyncio.run(work())
    assert capsys.readouterr().err.splitlines() == [
        "sending 25% of 100 MiB",
        "sending 100% of 100 MiB",
        "putting in place",
    ]


@pytest.mark.parametrize(
    ("old", "to", "new", "told"),
    [
        ("sqlite", "sqlite", "jetstream", "old.yaml names a log of sqlite, and should name one of jetstream"),
        ("sqlite", "jetstream", "sqlite", "new.yaml names a log of sqlite, and should name one of jetstream"),
        ("jetstream", "jetstream", "jetstream", "old.yaml names a log of jetstream, and should name one of sqlite"),
        ("sqlite", "postgres", "jetstream", "'postgres' is not one of 'jetstream', 'sqlite'"),
    ],
)
def test_configurations_that_do_not_fit_are_refused(tmp_path: Path, old: str, to: str, new: str, told: str) -> None:
    for name, engine in (("old", old), ("new", new)):
        config = {"log": {engine: LOGS[engine]}, "sources": SOURCES}
        (tmp_path / f"{name}.yaml").write_bytes(msgspec.yaml.encode(config))
    options = ["-c", str(tmp_path / "old.yaml"), "--to", to, "--config-to", str(tmp_path / "new.yaml")]
    done = CliRunner().invoke(main, ["migrate-log", *options])
    assert (done.exit_code, told in done.output) == (2, True), done.output
    assert not (tmp_path / "gateway.db").exists()
