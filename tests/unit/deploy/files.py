"""What the tests of deploy/ have in common: its files as they are read, and the tools that check them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateway import serving
from gateway.delivery import deliverer
from tests.unit.deploy.dockerfile import ROOT, stages

DEPLOY: Final = ROOT / "deploy"
SECRETS: Final = "/run/secrets/gateway"
TOOLS: Final = Path(sys.executable).parent
STEPS_OF_STOPPING: Final = 2 * serving.GRACE_S + 2 * deliverer.GRACE
"""Requests of clients, those of the admin listener, deliveries in flight, and what the log has to know of them."""
VERSIONS: Final = ("1.30", "1.33", "1.37")
"""Of Kubernetes."""

Manifests = dict[tuple[str, str], dict[str, Any]]
"""By kind and name."""


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def manifests(*folders: str) -> Manifests:
    """Return all manifests of some folders, the examples among them."""
    paths = [path for folder in folders for path in sorted((DEPLOY / folder).glob("*.yaml"))]
    return {
        (document["kind"], document["metadata"]["name"]): document
        for path in paths
        if path.name != "kustomization.yaml"
        for document in documents(str(path.relative_to(DEPLOY)))
    }


def named_in(kustomization: str) -> set[str]:
    """Return the manifests that a kustomization names, and see that it names all of its folder but the examples."""
    folder = (DEPLOY / kustomization).parent
    named = {name for name in documents(kustomization)[0]["resources"] if name.endswith(".yaml")}
    there = {path.name for path in folder.glob("*.yaml") if ".example." not in path.name}
    assert named == there - {"kustomization.yaml"}
    return named


def secret_names(config: str) -> set[str]:
    """Return the secrets that a configuration names."""
    return set(re.findall(rf"\$\{{file:{SECRETS}/(\w+)\}}", (DEPLOY / config).read_text()))


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not on this machine")


def keeps_to_the_compose_specification(name: str) -> None:
    done = run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / name)
    assert done.returncode == 0, done.stdout + done.stderr


def is_confined(service: dict[str, Any]) -> None:
    """See that Compose gives a container no more than it needs."""
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def is_a_confined_gateway(pod: dict[str, Any]) -> None:
    """See that a pod runs as the image's user and may do and write no more than it has to."""
    spec, context = pod["spec"], pod["spec"]["securityContext"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert context["runAsNonRoot"] is True
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == stages()[-1].one("USER")
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    has_no_rights(container)
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    assert mounts == {"/data": False, "/etc/gateway": True, SECRETS: True, "/tmp": False}
    assert {volume["name"]: volume for volume in spec["volumes"]}["secrets"]["secret"]["defaultMode"] == 0o440


def has_no_rights(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
