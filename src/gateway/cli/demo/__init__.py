"""``gateway demo``: everything on loopback, in real processes, with real clients."""

import contextlib
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import click
import httpx
import msgspec

from gateway.cli.demo import blueshift, klaviyo, report, synerise, vibetrace, yespo
from gateway.cli.demo.sent import Sender
from gateway.cli.processes import Process, start
from gateway.errors import GatewayError
from gateway.testing.standin import RECEIVED

PATIENCE_S = 60.0
"""How long the demo waits for the last event to arrive."""

KEYS: Final = {
    "klaviyo": {"private_key": "pk_0123456789abcdef0123456789abcdef01", "company_id": "DeMo01"},
    "blueshift": {"event_api_key": "demo-event-key", "user_api_key": "demo-user-key"},
    "synerise": {"api_key": "7a1c3b8e-demo-4f2a-9a11-0c5d2f6e8b90"},
    "yespo": {"api_key": "demo-yespo-key"},
    "vibetrace": {"api_key": "demo-vibetrace-key", "account_id": "demo-account"},
}
SENDERS: Final[tuple[Sender, ...]] = (
    klaviyo.events,
    klaviyo.bulk,
    klaviyo.profile,
    blueshift.everything,
    synerise.everything,
    yespo.everything,
    vibetrace.everything,
)
"""In the order in which they send."""
OPTIONS: Final = {"vibetrace": ("--option=strict=true",)}
"""Of the stand-ins: the real Vibetrace refuses events of users it does not know."""
_FAST: Final = {"windows": [{"requests": 200, "seconds": 1}]}
"""Some vendors publish no rates: the demo need not be as careful as the adapters are."""
SETTINGS: Final[dict[str, Any]] = {
    "synerise": {"limits": _FAST, "options": {"currency": "EUR"}},
    "vibetrace": {"limits": _FAST},
}
"""Of the targets. Synerise wants a currency with every order, and Vibetrace's clients send none."""


@click.command()
@click.option("--once", is_flag=True, help="End after the table: with 0 when every event arrived, else with 1.")
def demo(once: bool) -> None:
    """See it work: a gateway, a stand-in for each vendor, and traffic in every dialect, all on this machine.

    Klaviyo's official SDK, and plain HTTP in the dialects of Blueshift, Synerise, Yespo and Vibetrace, send to the
    gateway; each event goes to every vendor's stand-in. The table shows what was accepted and what arrived.

    \b
    Examples:
      gateway demo
      gateway demo --once
    """
    require_sdk()
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder, contextlib.ExitStack() as stack:
        ok = _show(Path(folder), stack)
        if once:
            if not ok:
                raise SystemExit(1)
            return
        _stay(Path(folder))


def _show(folder: Path, stack: contextlib.ExitStack) -> bool:
    click.echo("Starting a stand-in for each vendor, and the gateway ...")
    standins = {vendor: _standin(vendor, folder, stack) for vendor in KEYS}
    (folder / "gateway.yaml").write_bytes(configuration({name: p.ready["url"] for name, p in standins.items()}))
    gateway = start(["serve", "-c", str(folder / "gateway.yaml")], folder / "gateway.json", folder / "gateway.log")
    stack.callback(gateway.stop)
    listen, admin = gateway.ready["listen"], gateway.ready["admin"]
    started = time.monotonic()
    sent = [sender(listen, KEYS) for sender in SENDERS]
    accepted_s = time.monotonic() - started
    status, arrived_s = _wait(admin, started)
    received = {vendor: _received(process.ready["url"]) for vendor, process in standins.items()}
    report.show(sent, status, received, accepted_s, arrived_s)
    ok = report.complete(sent, status, received)
    click.echo("\nEvery event arrived at every target." if ok else "\nSOMETHING DID NOT ARRIVE; see the logs:")
    if not ok:
        click.echo((folder / "gateway.log").read_text()[-4000:])
    click.echo(f"\nThe gateway listens at {listen}; its admin listener at {admin}. Try:")
    click.echo(f"  curl -u {KEYS['blueshift']['event_api_key']}: {listen}/blueshift/api/v1/event \\")
    click.echo("""      -d '{"event": "view", "email": "you@example.com", "product_id": "TEA-014"}'""")
    click.echo(f'  KlaviyoAPI("{KEYS["klaviyo"]["private_key"]}", test_host="{listen}/klaviyo")')
    for vendor, process in standins.items():
        click.echo(f"  what arrived at {vendor}: {process.ready['url']}{RECEIVED}")
    click.echo(f"  status: {admin}/status   metrics: {admin}/metrics")
    return ok


def configuration(urls: dict[str, str]) -> bytes:
    """Return the demo's gateway.yaml: each vendor as a source and, at its stand-in's URL, as a target."""
    config: dict[str, Any] = {
        "listen": {"host": "127.0.0.1", "port": 0},
        "admin": {"host": "127.0.0.1", "port": 0},
        "log": {"sqlite": "gateway.db"},
        "sources": {f"from-{v}": {"vendor": v, "path": f"/{v}", "credentials": [KEYS[v]]} for v in urls},
        "targets": {
            f"to-{v}": {"vendor": v, "base_url": url, "credentials": KEYS[v], **SETTINGS.get(v, {})}
            for v, url in urls.items()
        },
        "routes": [{"name": "everything-everywhere", "to": [f"to-{v}" for v in urls]}],
    }
    return msgspec.yaml.encode(config)


def _standin(vendor: str, folder: Path, stack: contextlib.ExitStack) -> Process:
    options = [f"--credential={name}={value}" for name, value in KEYS[vendor].items()]
    process = start(
        ["sandbox", vendor, *options, *OPTIONS.get(vendor, ())], folder / f"{vendor}.json", folder / f"{vendor}.log"
    )
    stack.callback(process.stop)
    return process


def _wait(admin: str, started: float) -> tuple[dict[str, Any], float]:
    deadline = started + PATIENCE_S
    while True:
        status: dict[str, Any] = httpx.get(f"{admin}/status", timeout=10, trust_env=False).json()
        waiting = sum(target["queued"] for target in status["log"]["targets"])
        if not waiting or time.monotonic() > deadline:
            return status, time.monotonic() - started
        time.sleep(0.02)


def _received(url: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{url}{RECEIVED}?last=0", timeout=10, trust_env=False).json()
    return answer


def _stay(folder: Path) -> None:
    click.echo(f"\nConfiguration and log: {folder}\nStays up; Ctrl-C ends it.")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    click.echo("Stopping.", err=True)


def require_sdk() -> None:
    """Say so clearly when the SDK is missing."""
    try:
        import klaviyo_api  # noqa: F401  only whether it is there
    except ImportError:
        raise GatewayError("the demo needs Klaviyo's SDK: pip install 'event-gateway[demo]'") from None
