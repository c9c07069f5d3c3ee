"""The image's parts, started: the packages of the runtime lock and no others, its environment, its command.

Where this machine lets it: as process 1, on a read-only file system but for the folder of the log, without any
capability. There is no Docker engine here: what only it could show is not shown.
"""

import http.client
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest

from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, PATIENCE_S, klaviyo_event, until
from tests.e2e.process_one import CONFINED, child, may
from tests.unit.deploy.dockerfile import ROOT, context, stages
from tests.unit.deploy.test_manifests import CONTAINER, SECRETS, SERVICE, secret_names

DEPLOY: Final = ROOT / "deploy"
VALUES: Final = {
    "admin_token": "token",
    "klaviyo_private_key": KEYS["klaviyo"]["private_key"],
    "blueshift_event_key": KEYS["blueshift"]["event_api_key"],
    "blueshift_user_key": KEYS["blueshift"]["user_api_key"],
}
CONFINE: Final = """
set -e
mount --make-rprivate /
mount --bind "$DATA" "$DATA"
awk '{print $2}' /proc/mounts | grep -v -e '^/proc' -e '^/sys' -e '^/dev' -e "^$DATA\\$" | while read -r point; do
    mount -o remount,ro,bind "$point" 2>/dev/null || true
done
if touch "$PROBE" 2>/dev/null; then echo "still writable" >&2; exit 9; fi
touch "$DATA/probe"
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs env -i "$@"
"""
"""Becomes the command: everything read-only but the data, no capabilities, no environment but what is said."""


@dataclass(frozen=True)
class Place:
    """Where one gateway is run."""

    folder: Path
    environ: dict[str, str]
    ports: tuple[int, int]

    @property
    def data(self) -> Path:
        """Where it keeps its log; what the image calls /data."""
        return self.folder / "data"

    def get(self, path: str, token: str | None = None) -> httpx.Response:
        """Ask the admin listener."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(f"http://127.0.0.1:{self.ports[1]}{path}", headers=headers, trust_env=False, timeout=10)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the image's commands, as `docker exec` does."""
        return subprocess.run(
            arguments, cwd=self.folder / "etc", env=self.environ, capture_output=True, text=True, check=False
        )

    def python(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the image's scripts."""
        return self.run(f"{self.environ['PATH'].split(os.pathsep)[0]}/python", str(DEPLOY / script), *arguments)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make what the builder makes, of the packages that are installed here; return the image's environment."""
    folder = tmp_path_factory.mktemp("image")
    for file in context():
        copy = folder / "source" / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    made = subprocess.run(
        [sys.executable, "-c", f"import hatchling.build; print(hatchling.build.build_wheel({str(folder)!r}))"],
        cwd=folder / "source", capture_output=True, text=True, check=True,
    )  # fmt: skip
    venv.create(folder / "gateway", with_pip=False, symlinks=True)
    (site,) = (folder / "gateway").glob("lib/python*/site-packages")
    zipfile.ZipFile(folder / made.stdout.split()[-1]).extractall(site)
    for name in re.findall(r"^(\S+)==", (DEPLOY / "runtime.lock").read_text(), re.MULTILINE):
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
            (site / top).symlink_to(Path(str(distribution(name).locate_file(top))).resolve())
    script = folder / "gateway/bin/gateway"
    script.write_text(f"#!{folder}/gateway/bin/python\nfrom gateway.cli import main\nmain()\n")
    script.chmod(0o755)
    environ = stages()[-1].environment()
    assert environ["PATH"] == "/opt/gateway/bin:$PATH"
    return {**environ, "PATH": f"{folder}/gateway/bin{os.pathsep}/usr/bin{os.pathsep}/bin"}


@pytest.fixture
def place(image: dict[str, str], tmp_path: Path) -> Place:
    """Lay out the example configuration as Kubernetes mounts it, with paths and ports of the test's own."""
    etc = tmp_path / "etc"
    for folder in (tmp_path / "data", tmp_path / "secrets", etc):
        folder.mkdir()
    for name in secret_names():
        (tmp_path / "secrets" / name).write_text(f"{VALUES[name]}\n")
    made = Place(tmp_path, {**image, "SQLITE_TMPDIR": str(tmp_path / "data")}, (free_port(), free_port()))
    mount(etc, {path.name: mine(path.read_text(), made) for path in (DEPLOY / "config").iterdir()})
    return made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def mine(text: str, place: Place) -> str:
    """Put the test's own places for the container's."""
    for given, own in {
        SECRETS: str(place.folder / "secrets"),
        "/data/": f"{place.data}/",
        "0.0.0.0": "127.0.0.1",
        "8080": str(place.ports[0]),
        "8081": str(place.ports[1]),
        "vendor: blueshift": "vendor: blueshift\n    base_url: http://127.0.0.1:9",
    }.items():
        assert given in text or "sources:" not in text
        text = text.replace(given, own)
    return text


def mount(folder: Path, files: dict[str, str]) -> None:
    """Fill a folder as the kubelet does: a new one beside the old, and a link that is exchanged."""
    number = len(list(folder.glob("..v*")))
    version = folder / f"..v{number}"
    version.mkdir()
    for name, text in files.items():
        (version / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..new").symlink_to(version.name)
    (folder / "..new").replace(folder / "..data")


def confined() -> bool:
    return may(*CONFINED) and shutil.which("setpriv") is not None


@contextmanager
def started(place: Place, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the image's command, confined where that may be, and stop it as Docker does."""
    words = [
        *(f"{name}={value}" for name, value in place.environ.items()),
        *stages()[-1].exec_form("ENTRYPOINT"),
        *command,
    ]
    plain = ["env", "-i", *words]
    wrapped = [*CONFINED, "sh", "-c", CONFINE, "sh", *words]
    environ = {**os.environ, "DATA": str(place.data), "PROBE": str(place.folder / "probe")}
    with (
        (place.folder / "log").open("ab") as log,
        subprocess.Popen(
            wrapped if confined() else plain, cwd=place.folder / "etc", env=environ, stdout=log, stderr=log
        ) as popen,
    ):
        try:
            until(lambda: answers(place) or popen.poll() is not None)
            assert popen.poll() is None, (place.folder / "log").read_text()
            yield popen
            os.kill(child(popen.pid) if confined() else popen.pid, signal.SIGTERM)
            assert popen.wait(PATIENCE_S) == 0
        finally:
            popen.kill()


def answers(place: Place) -> bool:
    with suppress(httpx.HTTPError):
        return place.get("/readyz").status_code == http.client.OK
    return False


def accept(place: Place, number: int) -> None:
    """Send an event as the shop does."""
    url = f"http://127.0.0.1:{place.ports[0]}/shop/api/events"
    answer = httpx.post(url, json=klaviyo_event(number), headers=KLAVIYO_HEADERS, trust_env=False, timeout=10)
    assert answer.status_code == http.client.ACCEPTED, answer.text


def status(place: Place) -> dict[str, int]:
    done = place.run("gateway", "status", "--json")
    assert done.returncode == 0, done.stderr
    (target,) = msgspec.json.decode(done.stdout)["targets"]
    return {key: target[key] for key in ("accepted", "queued", "delivered")}


def test_the_example_configuration_is_right(place: Place) -> None:
    done = place.run("gateway", "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_serves_and_the_probes_answer_as_the_manifests_want(place: Place) -> None:
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    with started(place, CONTAINER["args"]) as popen:
        if confined():
            facts = Path(f"/proc/{child(popen.pid)}/status").read_text()
            assert re.search(r"^NSpid:.*\t1$", facts, re.MULTILINE)
            assert re.search(r"^CapBnd:\t0+$", facts, re.MULTILINE)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = CONTAINER[probe]["httpGet"]
            assert ports[asked["port"]] == 8081
            assert place.get(asked["path"]).status_code == http.client.OK
        for path in ("/metrics", "/status"):
            assert place.get(path).status_code == http.client.UNAUTHORIZED
            assert place.get(path, "token").status_code == http.client.OK
        health = stages()[-1].exec_form("HEALTHCHECK")
        assert SERVICE["healthcheck"]["test"] == ["CMD", *health, "8081"]
        assert Path(health[1]).name == "healthcheck.py"
        done = place.python("healthcheck.py", str(place.ports[1]))
        assert (done.returncode, done.stderr) == (0, "")
        assert place.python("healthcheck.py", str(place.ports[1]), "/metrics").returncode == 1
        accept(place, 1)
        assert status(place)["accepted"] == 1
    done = place.python("healthcheck.py", str(place.ports[1]))
    assert done.returncode == 1
    assert "refused" in done.stderr


def test_the_health_check_goes_past_a_proxy(place: Place) -> None:
    with started(place, stages()[-1].exec_form("CMD")):
        place.environ["http_proxy"] = "http://127.0.0.1:9"
        assert place.python("healthcheck.py", str(place.ports[1])).returncode == 0


def test_a_changed_config_map_is_put_in_force(place: Place) -> None:
    def version() -> str:
        found: str = place.get("/configuration", "token").json()["version"]
        return found

    with started(place, CONTAINER["args"]):
        before = version()
        files = {path.name: path.read_text() for path in (place.folder / "etc").glob("*.yaml")}
        mount(place.folder / "etc", {**files, "routes.yaml": "- {name: none, drop: not today}\n"})
        until(lambda: version() != before)


def test_a_backup_of_a_running_gateway_is_a_log_to_start_with(place: Place, tmp_path: Path) -> None:
    with started(place, CONTAINER["args"]):
        for number in range(20):
            accept(place, number)
        backup = place.data / "backup"
        done = place.python("backup.py", str(place.data / "gateway.db"), str(backup))
        assert (done.returncode, done.stderr) == (0, "")
        for number in range(20, 25):
            accept(place, number)
    assert sorted(path.name for path in backup.iterdir()) == ["gateway.db", "gateway.db.people"]
    saved = tmp_path / "saved"
    shutil.move(backup, saved)
    shutil.rmtree(place.data)
    shutil.move(saved, place.data)
    with started(place, CONTAINER["args"]):
        assert status(place)["accepted"] == 20
        accept(place, 25)
        assert status(place)["accepted"] == 21


def test_a_backup_of_what_is_no_log_is_none(place: Place) -> None:
    (place.data / "gateway.db").write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)
    with pytest.raises(sqlite3.Error), closing(sqlite3.connect(place.data / "gateway.db")) as broken:
        broken.execute("SELECT * FROM sqlite_master")
    done = place.python("backup.py", str(place.data / "gateway.db"), str(place.data / "backup"))
    assert done.returncode != 0
    assert not (place.data / "backup/gateway.db").exists()
    assert place.python("backup.py", str(place.data / "none.db"), str(place.data / "backup")).returncode == 1
