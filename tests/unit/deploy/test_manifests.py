"""What is in deploy/ is well formed, keeps to its schemas, and its parts agree with each other and with the gateway."""

import configparser
import re
import shutil
from pathlib import Path
from typing import Final

import kubernetes_validate
import pytest
import yaml

from gateway import registry
from gateway.cli import main as gateway
from gateway.config import Checked, load
from tests.unit.deploy import files
from tests.unit.deploy.dockerfile import FILE, ROOT, copied, ignored, stages
from tests.unit.deploy.files import DEPLOY, SECRETS, STEPS_OF_STOPPING, TOOLS, documents, needs, run

KUBERNETES: Final = files.manifests("kubernetes", "kubernetes/common")
KUSTOMIZATION: Final = documents("kubernetes/kustomization.yaml")[0]
POD: Final = KUBERNETES["StatefulSet", "event-gateway"]["spec"]["template"]
CONTAINER: Final = POD["spec"]["containers"][0]
COMPOSE: Final = documents("compose.yaml")[0]
SERVICE: Final = COMPOSE["services"]["gateway"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """Return the example configuration, with secrets in a folder of the test's own."""
    folder = tmp_path_factory.mktemp("config")
    for path in (DEPLOY / "config").iterdir():
        (folder / path.name).write_text(path.read_text().replace(SECRETS, str(folder)))
    for name in secret_names():
        (folder / name).write_text(f"value of {name}\n")
    return load(folder / "gateway.yaml", {})


def secret_names() -> set[str]:
    return files.secret_names("config/gateway.yaml")


# --- the image ---


def test_the_dockerfile_pleases_its_linter() -> None:
    done = run(TOOLS / "hadolint", "--failure-threshold", "style", FILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_copies_is_there_and_let_into_the_context() -> None:
    for source in (one for stage in stages() for one in copied(stage)):
        assert (ROOT / source).exists(), source
        assert not ignored(source), source


def test_the_context_holds_nothing_else() -> None:
    wanted = {one for stage in stages() for one in copied(stage)}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == wanted
    for kept_out in (".git", ".venv", "tests", "data/gateway.db", "deploy/secrets/admin_token", "adapters/yespo/tests"):
        assert ignored(kept_out), kept_out


def test_the_image_needs_no_root_and_no_shell() -> None:
    last = stages()[-1]
    assert not last.all("RUN")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last.one("USER"))
    assert last.one("STOPSIGNAL") == "SIGTERM"
    assert last.one("VOLUME") == "/data"
    assert last.exec_form("ENTRYPOINT") == ["gateway"]
    assert last.exec_form("CMD") == ["serve"]
    assert last.exec_form("HEALTHCHECK")[0] == "python"


def test_the_base_image_is_named_exactly_and_the_version_is_the_projects() -> None:
    text = FILE.read_text()
    assert re.search(r"^ARG PYTHON=python:3\.11\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?$", text, re.MULTILINE)
    assert {stage.image for stage in stages()} == {"${PYTHON}"}
    (version,) = re.findall(r"^ARG VERSION=(.*)$", text, re.MULTILINE)
    assert re.search(rf'^version = "{re.escape(version)}"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert KUSTOMIZATION["images"][0]["newTag"] == version


# --- the example configuration ---


def test_the_example_configuration_listens_where_the_manifests_say(config: Checked) -> None:
    listen, admin = config.listen, config.admin
    assert [listen.host, admin.host] == ["0.0.0.0", "0.0.0.0"]
    assert stages()[-1].one("EXPOSE").split() == [str(listen.port), str(admin.port)]
    assert SERVICE["ports"] == [f"127.0.0.1:{port}:{port}" for port in (listen.port, admin.port)]
    assert CONTAINER["ports"] == [
        {"name": "http", "containerPort": listen.port},
        {"name": "admin", "containerPort": admin.port},
    ]
    assert config.log.sqlite == "/data/gateway.db"
    assert config.admin.token == "value of admin_token"


# --- compose ---


def test_compose_keeps_to_the_compose_specification() -> None:
    files.keeps_to_the_compose_specification("compose.yaml")


def test_compose_confines_what_it_runs() -> None:
    for service in COMPOSE["services"].values():
        files.is_confined(service)
    assert SERVICE["user"] == stages()[-1].one("USER")
    assert "./config:/etc/gateway:ro" in SERVICE["volumes"]
    assert "data:/data" in SERVICE["volumes"]


def test_compose_gives_the_secrets_that_the_configuration_names() -> None:
    given = {secret["source"]: secret["target"] for secret in SERVICE["secrets"]}
    assert given == {name: f"{SECRETS}/{name}" for name in secret_names()}
    assert {name: entry["file"] for name, entry in COMPOSE["secrets"].items()} == {
        name: f"./secrets/{name}" for name in secret_names()
    }


def test_what_compose_mounts_and_builds_is_there() -> None:
    for service in COMPOSE["services"].values():
        for source in (volume.split(":")[0] for volume in service["volumes"]):
            assert (DEPLOY / source).is_dir() if source.startswith(".") else source in COMPOSE["volumes"]
    build = SERVICE["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == FILE


def test_prometheus_finds_the_gateway_and_the_rules() -> None:
    document = documents("prometheus/prometheus.yaml")[0]
    (job,) = document["scrape_configs"]
    assert [(DEPLOY / "prometheus" / name).is_file() for name in document["rule_files"]] == [True]
    assert job["static_configs"] == [{"targets": ["gateway:8081"]}]
    (secret,) = COMPOSE["services"]["prometheus"]["secrets"]
    assert job["authorization"]["credentials_file"] == secret["target"]
    assert "--config.file=/etc/prometheus/prometheus.yaml" in COMPOSE["services"]["prometheus"]["command"]


# --- Kubernetes ---


@pytest.mark.parametrize("version", files.VERSIONS)
@pytest.mark.parametrize("what", [what for what in KUBERNETES if what[0] != "PodMonitor"], ids=lambda what: what[0])
def test_a_manifest_keeps_to_the_schema_of_kubernetes(what: tuple[str, str], version: str) -> None:
    kubernetes_validate.validate(KUBERNETES[what], version, strict=True)


@needs("kubectl")
def test_kustomize_builds_all_but_the_examples() -> None:
    done = run("kubectl", "kustomize", DEPLOY / "kubernetes")
    assert done.returncode == 0, done.stderr
    built = {(document["kind"], document["metadata"]["name"]) for document in yaml.safe_load_all(done.stdout)}
    examples = {(kind, name) for kind, name in KUBERNETES if kind in ("Secret", "PodMonitor")}
    assert built == KUBERNETES.keys() - examples
    for document in yaml.safe_load_all(done.stdout):
        kubernetes_validate.validate(document, "1.37", strict=True)


def test_kustomize_names_every_manifest_but_the_examples() -> None:
    mine = files.named_in("kubernetes/kustomization.yaml")
    assert set(KUSTOMIZATION["resources"]) == mine | {"common"}
    files.named_in("kubernetes/common/kustomization.yaml")


def test_the_config_map_holds_the_example_configuration() -> None:
    written = {path.name: path.read_text() for path in (DEPLOY / "config").iterdir()}
    assert KUBERNETES["ConfigMap", "event-gateway"]["data"] == written


def test_the_secret_has_what_the_configuration_names() -> None:
    assert KUBERNETES["Secret", "event-gateway"]["stringData"].keys() == secret_names()
    endpoint = KUBERNETES["PodMonitor", "event-gateway"]["spec"]["podMetricsEndpoints"][0]
    assert endpoint["authorization"]["credentials"] == {"name": "event-gateway", "key": "admin_token"}


def test_whatever_chooses_the_pod_chooses_it() -> None:
    labels = POD["metadata"]["labels"]
    services = [document["spec"]["selector"] for (kind, _), document in KUBERNETES.items() if kind == "Service"]
    chosen = [
        *services,
        *(
            KUBERNETES[kind, "event-gateway"]["spec"]["selector"]["matchLabels"]
            for kind in ("StatefulSet", "PodDisruptionBudget", "PodMonitor")
        ),
        KUBERNETES["NetworkPolicy", "event-gateway"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert len(services) == 2
    assert all(one == labels for one in chosen)
    headless = KUBERNETES["Service", KUBERNETES["StatefulSet", "event-gateway"]["spec"]["serviceName"]]
    assert headless["spec"]["clusterIP"] == "None"


def test_the_ports_that_are_named_are_those_of_the_container() -> None:
    named = {port["name"] for port in CONTAINER["ports"]}
    policy = KUBERNETES["NetworkPolicy", "event-gateway"]["spec"]
    used = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    used |= {CONTAINER[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    used |= {
        port["targetPort"]
        for (kind, _), document in KUBERNETES.items()
        if kind == "Service"
        for port in document["spec"]["ports"]
    }
    assert used == named


def test_the_pod_is_one_and_confined() -> None:
    assert KUBERNETES["StatefulSet", "event-gateway"]["spec"]["replicas"] == 1
    files.is_a_confined_gateway(POD)


# --- all of them ---


def test_each_waits_longer_than_the_gateway_takes_to_stop() -> None:
    unit = (DEPLOY / "systemd/event-gateway.service").read_text()
    given = [
        SERVICE["stop_grace_period"].removesuffix("s"),
        POD["spec"]["terminationGracePeriodSeconds"],
        re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0],
    ]
    assert all(float(seconds) >= STEPS_OF_STOPPING + 10 for seconds in given)


def unit() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters="=", comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "systemd/event-gateway.service")
    return {name: dict(parser[name]) for name in parser.sections()}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(CONTAINER["args"], id="kubernetes"),
        pytest.param(SERVICE["command"], id="compose"),
        pytest.param(stages()[-1].exec_form("CMD"), id="image"),
        pytest.param(unit()["Service"]["ExecStart"].split()[1:], id="systemd"),
        pytest.param(unit()["Service"]["ExecReload"].split()[1:], id="systemd-reload"),
    ],
)
def test_the_command_is_one_of_the_gateways(command: list[str]) -> None:
    name, *options = command
    gateway.commands[name].make_context(name, options)


# --- tools that may be on the machine ---


@needs("systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """With a program that there is: the unit's own is not installed here."""
    text = (DEPLOY / "systemd/event-gateway.service").read_text()
    copy = tmp_path / "event-gateway.service"
    copy.write_text(text.replace("/opt/event-gateway/bin/gateway", "/bin/true"))
    done = run("systemd-analyze", "verify", "--man=no", copy)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = run("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", copy)
    assert done.returncode == 0, done.stdout + done.stderr


@needs("nginx")
@needs("openssl")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=events.example.com",
               "-keyout", key, "-out", certificate)  # fmt: skip
    assert made.returncode == 0, made.stderr
    text = (DEPLOY / "nginx/event-gateway.conf").read_text()
    text = text.replace("/etc/nginx/tls/event-gateway.key", str(key))
    text = text.replace("/etc/nginx/tls/event-gateway.crt", str(certificate))
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{text}}}\n")
    done = run("nginx", "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "errors")
    assert done.returncode == 0, done.stderr


@needs("promtool")
def test_promtool_takes_the_prometheus_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token")
    for name in ("alerts.yaml", "cluster-alerts.yaml"):
        shutil.copy(DEPLOY / "prometheus" / name, tmp_path)
    for name in ("prometheus.yaml", "cluster.yaml"):
        text = (DEPLOY / "prometheus" / name).read_text()
        (tmp_path / name).write_text(text.replace(f"{SECRETS}/admin_token", str(tmp_path / "token")))
        done = run("promtool", "check", "config", tmp_path / name)
        assert done.returncode == 0, done.stdout + done.stderr


# --- the page ---


def test_what_the_page_names_is_there() -> None:
    page = (ROOT / "docs/deployment.md").read_text()
    named = {name.rstrip("/.") for name in re.findall(r"\bdeploy/[\w./-]+", page)} - {"deploy/secrets"}
    named = {name for name in named if not name.startswith("deploy/secrets/")}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    for folder in (path for path in DEPLOY.iterdir() if path.suffix != ".lock" and path.name != "secrets"):
        assert f"deploy/{folder.name}" in page, folder


def test_the_proxy_lets_every_body_through_that_a_vendor_takes() -> None:
    text = (DEPLOY / "nginx/event-gateway.conf").read_text()
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", text)
    largest = max(endpoint.max_body for adapter in registry.adapters().values() for endpoint in adapter.inbound)
    assert int(megabytes) << 20 > largest
    (idle,) = re.findall(r"keepalive_timeout (\d+)s;", text)
    assert int(idle) < 75
