"""Every block of the documents runs."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from gateway import config, registry, yamlfile
from gateway.adapter import Adapter
from gateway.cli import main as gateway
from gateway.event import Event
from gateway.routing.entries import RuleEntry

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "adapters").glob("*/README.md")),
]
TOURS = ("README.md", "adding-a-vendor.md", "mappings.md")
"""Documents whose shell blocks are one run."""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = {"sh", "yaml", "json", "python", "text", ""}
PORTS = ("8080", "8081", "9001")

ENVIRON = {
    "GATEWAY_ADMIN_TOKEN": "token",
    "KLAVIYO_PRIVATE_KEY": "pk_1",
    "KLAVIYO_PRIVATE_KEY_BEFORE": "pk_0",
    "BLUESHIFT_EVENT_KEY": "event",
    "BLUESHIFT_USER_KEY": "user",
    "SYNERISE_API_KEY": "workspace",
    "SYNERISE_PROFILE_KEY": "profile",
    "YESPO_API_KEY": "api",
    "VIBETRACE_API_KEY": "api",
}


def blocks(path: Path) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in BLOCK.finditer(path.read_text())]


def free_ports() -> dict[str, str]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    found = {port: str(sock.getsockname()[1]) for port, sock in zip(PORTS, held, strict=True)}
    for sock in held:
        sock.close()
    return found


def run_shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-c", "set -eu -o pipefail\n" + script]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False)


def test_the_tour_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    """All its shell blocks in order, on free ports; the first block is `scripts/…`, which this suite is part of."""
    shell = [text for kind, text in blocks(ROOT / "README.md") if kind == "sh"]
    assert "scripts/demo" in shell[0]
    script = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "".join(shell[1:])
    for port, free in free_ports().items():
        script = script.replace(port, free)
        script = (
            script.replace("log: {sqlite", f"listen: {{port: {free}}}\nlog: {{sqlite") if port == "8080" else script
        )
        script = (
            script.replace("log: {sqlite", f"admin: {{port: {free}}}\nlog: {{sqlite", 1) if port == "8081" else script
        )
    done = run_shell(script, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gateway.yaml: right" in done.stdout
    assert "HTTP/1.1 202 Accepted" in done.stdout
    assert '"Order Completed":1' in done.stdout
    assert "dropped" in done.stdout


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.name not in TOURS], ids=lambda path: path.stem)
def test_shell_blocks_run(path: Path, tmp_path: Path) -> None:
    for kind, text in blocks(path):
        if kind == "sh":
            done = run_shell(f"cd {ROOT}\n{text}", tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_is_of_a_kind_that_is_checked(path: Path) -> None:
    assert {kind for kind, _ in blocks(path)} <= RUN


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_blocks_of_data_and_code_are_well_formed(path: Path) -> None:
    for kind, text in blocks(path):
        if kind == "json":
            msgspec.json.decode(text)
        elif kind == "yaml":
            assert not yamlfile.parse(text, str(path)).problems
        elif kind == "python":
            compile(text, str(path), "exec")


def test_the_configuration_page_is_a_right_configuration(tmp_path: Path) -> None:
    for kind, text in blocks(ROOT / "docs/configuration.md"):
        if kind == "yaml":
            (tmp_path / text.split()[1]).write_text(text)
    loaded = config.load(tmp_path / "gateway.yaml", ENVIRON)
    assert [rule.name for rule in loaded.rules] == ["tests", "orders", "people", "the-rest"]


def test_the_configuration_page_names_every_key() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    for struct in (
        config.Config,
        config.Listen,
        config.Admin,
        config.LogConfig,
        config.JetStreamConfig,
        config.Retention,
        config.Duplicates,
        config.LoggingConfig,
        config.SourceConfig,
        config.TargetConfig,
        config.LimitsConfig,
        config.WindowConfig,
        RuleEntry,
    ):
        for name in (field.encode_name for field in msgspec.structs.fields(struct)):
            assert re.search(rf"\b{name}\b", page), name


@pytest.mark.parametrize("adapter", registry.adapters().values(), ids=lambda adapter: adapter.slug)
def test_a_vendors_page_names_its_credentials_and_endpoints(adapter: Adapter) -> None:
    page = (ROOT / "adapters" / adapter.slug / "README.md").read_text()
    for credential in adapter.credentials:
        assert credential.name in page
    paths = {endpoint.path for endpoint in adapter.inbound} | {endpoint.path for endpoint in adapter.outbound}
    assert [path for path in sorted(paths) if path not in page] == []


def commands(command: click.Command, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield names, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, *names, name)


@pytest.mark.parametrize(
    ("names", "command"), list(commands(gateway)), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_has_examples_in_its_help(names: tuple[str, ...], command: click.Command) -> None:
    text = command.help or ""
    assert "Example" in text or "Start here" in text
    for line in re.findall(r"^ +(gateway .*?)(?:  +.*)?$", text, re.MULTILINE):
        assert line.startswith(("gateway", *names[:1]))


def test_every_field_of_an_event_is_in_its_page() -> None:
    page = (ROOT / "docs/events.md").read_text()
    for field in msgspec.structs.fields(Event):
        assert f"`{field.name}`" in page
