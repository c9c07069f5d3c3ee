"""How commands speak to the gateway that runs, over its admin listener."""

import os
import re
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from gateway import yamlfile
from gateway.config import Admin, load
from gateway.errors import ConfigError, GatewayError

ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  it is where one connects instead
_VARIABLE: Final = re.compile(r"\$\$|\$\{(file:)?([^}]*)\}")


class NotRunning(GatewayError):
    """Nobody answers at the admin listener's address."""


def admin_of(path: Path) -> Admin:
    """Return where a configuration has the admin listener, also when something else in it is wrong.

    Raises:
        ConfigError: it cannot be told.
    """
    try:
        return load(path).admin
    except ConfigError as error:
        section = _section(path)
        try:
            return msgspec.convert({k: _filled(v, path.parent) for k, v in section.items()}, Admin, strict=False)
        except (msgspec.ValidationError, OSError, KeyError):
            raise error from None


def _section(path: Path) -> dict[str, Any]:
    value = yamlfile.read(path).value
    section = value.get("admin", {}) if isinstance(value, dict) else {}
    return section if isinstance(section, dict) else {}


def _filled(value: Any, folder: Path) -> Any:
    def fill(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return (folder / match[2]).read_text("utf-8").strip() if match[1] else os.environ[match[2]]

    return _VARIABLE.sub(fill, value) if isinstance(value, str) else value


def url_of(admin: Admin) -> str:
    """Return the URL of an admin listener.

    Raises:
        GatewayError: the configuration leaves its port open.
    """
    if not admin.port:
        raise GatewayError("the configuration leaves the admin listener's port open: say where it is with --admin URL")
    host = ANYWHERE.get(admin.host, admin.host)
    return f"http://[{host}]:{admin.port}" if ":" in host else f"http://{host}:{admin.port}"


def ask(method: str, url: str, token: str | None, *, patience: float) -> httpx.Response:
    """Return what the running gateway answers.

    Args:
        patience: seconds.

    Raises:
        NotRunning: nothing answers there in time.
        GatewayError: it wants another token.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.request(method, url, headers=headers, timeout=patience, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotRunning(f"no gateway answers at {url}: {error}") from None
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise GatewayError(f"the gateway at {url} wants another admin token than the configuration has")
    return answer
