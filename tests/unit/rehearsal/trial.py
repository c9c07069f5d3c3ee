"""A configuration in a folder, tried out."""

from pathlib import Path

from gateway import registry
from gateway.config import load_with_places, source_path
from gateway.delivery import TargetSpec
from gateway.inbound.routes import Source
from gateway.rehearsal import Result, World, run_examples

CONFIG = """
log: {sqlite: gateway.db}
sources:
  shop: {vendor: klaviyo, credentials: [{private_key: pk_of_the_shop}]}
  app: {vendor: blueshift, credentials: [{event_api_key: key_of_the_app}]}
targets:
  crm: {vendor: blueshift, credentials: {event_api_key: event-key-9, user_api_key: user-key-9}}
  mail: {vendor: klaviyo, credentials: {private_key: pk_of_the_mail}}
routes: [rules/routes.yaml]
"""


def written(folder: Path, rules: str) -> Path:
    """Write a configuration with these rules, and return its path."""
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules/routes.yaml").write_text(rules)
    path = folder / "gateway.yaml"
    path.write_text(CONFIG)
    return path


def world_of(path: Path) -> World:
    """Return a configuration, ready to be tried out."""
    config, _ = load_with_places(path)
    sources = {
        name: Source(name, registry.adapter(one.vendor), one.credentials, path=source_path(name, one))
        for name, one in config.sources.items()
    }
    targets = {
        name: TargetSpec(name=name, adapter=registry.adapter(one.vendor), credentials=one.credentials)
        for name, one in config.targets.items()
    }
    return World(config, sources, targets)


def results(folder: Path, rules: str) -> list[Result]:
    """Return what comes of the examples of some rules."""
    path = written(folder, rules)
    return run_examples(world_of(path), load_with_places(path)[1])
