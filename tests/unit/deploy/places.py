"""One gateway as its image would run it: the packages of the runtime lock and no others, its environment, its command.

Where this machine lets it: as process 1, on a read-only file system but for the folder of the log, without any
capability.
"""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import httpx

from tests.e2e.harness import KEYS, KLAVIYO_HEADERS, PATIENCE_S, klaviyo_event, until
from tests.e2e.process_one import CONFINED, child, may
from tests.unit.deploy import files
from tests.unit.deploy.dockerfile import ROOT, context, stages
from tests.unit.deploy.files import DEPLOY, SECRETS

DEAD_END: Final = {"vendor: blueshift": "vendor: blueshift\n    base_url: http://127.0.0.1:9"}
"""A target that nobody answers for."""
VALUES: Final = {
    "admin_token": "token",
    "nats_password": "letmein",
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


def make_image(folder: Path) -> dict[str, str]:
    """Make what the builder makes, of the packages that are installed here; return the image's environment."""
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


def lay_out(folder: Path, image: Mapping[str, str], config: Path, own: Mapping[str, str]) -> Place:
    """Lay out a configuration of deploy/ as Kubernetes mounts it, with paths and ports of the test's own.

    Args:
        folder: where.
        image: what `make_image` returned.
        config: the folder that holds the configuration.
        own: what else is put in place of what stands there.
    """
    etc = folder / "etc"
    for each in (folder / "data", folder / "secrets", etc):
        each.mkdir(parents=True)
    for name in files.secret_names(str((config / "gateway.yaml").relative_to(DEPLOY))):
        (folder / "secrets" / name).write_text(f"{VALUES[name]}\n")
    made = Place(folder, {**image, "SQLITE_TMPDIR": str(folder / "data")}, (free_port(), free_port()))
    mount(etc, {path.name: mine(path.read_text(), made, own) for path in config.iterdir()})
    return made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def mine(text: str, place: Place, more: Mapping[str, str]) -> str:
    """Put the test's own places for the container's."""
    for given, own in {
        SECRETS: str(place.folder / "secrets"),
        "/data/": f"{place.data}/",
        "0.0.0.0": "127.0.0.1",
        "8080": str(place.ports[0]),
        "8081": str(place.ports[1]),
        **more,
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
