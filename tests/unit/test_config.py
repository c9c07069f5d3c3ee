"""`gateway.yaml`: what is right is read, and everything wrong is told at once, with its line."""

from pathlib import Path

import pytest

from gateway.config import Checked, load, source_path, target_windows
from gateway.errors import ConfigError

CASES = Path(__file__).parent / "config_cases"

ENVIRON = {"KLAVIYO_PRIVATE_KEY": "pk_secret_of_the_shop", "GATEWAY_ADMIN_TOKEN": "t0ps3cret"}


def written(folder: Path, text: str, **others: str) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(text)
    for name, content in others.items():
        (folder / f"{name}.yaml").write_text(content)
    return path


RIGHT = """
listen: {host: 0.0.0.0, port: "${PORT}"}
admin: {token: "${GATEWAY_ADMIN_TOKEN}"}
log: {sqlite: ./data/gateway.db}
sources:
  shop:
    vendor: klaviyo
    hosts: [a.klaviyo.com]
    path: /
    credentials:
      - {private_key: "${KLAVIYO_PRIVATE_KEY}", company_id: AbC123}
  app:
    vendor: blueshift
    credentials: [{event_api_key: "${file:event.key}"}]
targets:
  crm:
    vendor: blueshift
    base_url: http://127.0.0.1:9/prefix
    credentials: {event_api_key: "a$$b"}
    limits: {windows: [{requests: 5, seconds: 1}]}
routes:
  - routes.yaml
  - {name: last, drop: nobody wants it}
"""

ROUTES = """
- name: orders
  match: {source: shop, kind: track, name: ["Order *"]}
  to: [{target: crm, name: purchase, set: {properties.store: eu-1}, drop: [profile.phone]}]
"""


def right(folder: Path) -> Checked:
    (folder / "event.key").write_text("event-key\n")
    return load(written(folder, RIGHT, routes=ROUTES), {**ENVIRON, "PORT": "0"})


def test_a_right_configuration_is_read_whole(tmp_path: Path) -> None:
    config = right(tmp_path)
    assert config.listen.port == 0
    assert config.log.sqlite == str(tmp_path / "data/gateway.db")
    assert config.sources["shop"].credentials[0]["private_key"] == "pk_secret_of_the_shop"
    assert config.sources["app"].credentials == [{"event_api_key": "event-key"}]
    assert config.targets["crm"].credentials == {"event_api_key": "a$b"}
    assert [rule.name for rule in config.rules] == ["orders", "last"]
    assert [(w.count, w.seconds) for w in target_windows(config.targets["crm"])] == [(5, 1)]
    assert {name: source_path(name, source) for name, source in config.sources.items()} == {"shop": "", "app": "/app"}


def test_secrets_are_known_and_public_ids_are_none(tmp_path: Path) -> None:
    assert right(tmp_path).secrets() == {"pk_secret_of_the_shop", "event-key", "a$b", "t0ps3cret"}


def test_a_folder_of_routes_is_read_in_order_of_names(tmp_path: Path) -> None:
    routes = tmp_path / "mappings"
    routes.mkdir()
    (routes / "b.yaml").write_text("- {name: second, drop: x}\n")
    (routes / "a.yaml").write_text("- {name: first, drop: x}\n")
    text = "log: {sqlite: x}\nroutes: [mappings]\nsources: {s: {vendor: klaviyo, credentials: [{private_key: pk_1}]}}\n"
    assert [rule.name for rule in load(written(tmp_path, text)).rules] == ["first", "second"]


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_everything_wrong_is_told_at_once(case: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(case, ENVIRON)
    told = str(caught.value).replace(str(CASES) + "/", "")
    assert told == case.with_suffix(".expected").read_text().rstrip("\n")


def test_no_secret_is_in_any_message(tmp_path: Path) -> None:
    text = (
        "log: {sqlite: x}\nsources: {s: {vendor: klaviyo, credentials: [{private_kex: pk_very_secret}], x: 1}}\n"
        "targets: {t: {vendor: blueshift, credentials: {event_api_key: [also_secret]}}}\n"
        'admin: {host: 0.0.0.0, token: ""}\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))
    assert "pk_very_secret" not in str(caught.value)
    assert "also_secret" not in str(caught.value)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.yaml: no such file$"):
        load(tmp_path / "gateway.yaml")
