"""The image's parts, started: the packages of the runtime lock and no others, its environment, its command.

There is no Docker engine here: what only it could show is not shown.
"""

import http.client
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.e2e.harness import until
from tests.e2e.process_one import child
from tests.unit.deploy.dockerfile import stages
from tests.unit.deploy.files import DEPLOY
from tests.unit.deploy.places import DEAD_END, Place, accept, confined, lay_out, mount, started
from tests.unit.deploy.test_manifests import CONTAINER, SERVICE


@pytest.fixture
def place(image: dict[str, str], tmp_path: Path) -> Place:
    """Lay out the example configuration."""
    return lay_out(tmp_path / "place", image, DEPLOY / "config", DEAD_END)


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
