"""``gateway sandbox``: one stand-in vendor."""

from pathlib import Path
from typing import Any

import click
import msgspec

from gateway import registry
from gateway.adapter import Adapter
from gateway.cli.options import ready_option
from gateway.errors import UsageError
from gateway.opening import run
from gateway.serving import Server, bind, stop_event, url_of, write_ready
from gateway.shape_check import unknown
from gateway.telemetry import make_logger
from gateway.testing.standin import RECEIVED, StandIn


@click.command()
@click.argument("vendor")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port to listen on.")
@click.option(
    "--credential", "credentials", multiple=True, metavar="NAME=VALUE", help="What clients must present; repeatable."
)
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the vendor's sources; repeatable."
)
@click.option("--no-limits", is_flag=True, help="Do not answer 429 beyond the vendor's limits.")
@click.option("--log-level", type=click.Choice(["info", "warning"]), default="info", show_default=True)
@ready_option
def sandbox(
    vendor: str,
    host: str,
    port: int,
    credentials: tuple[str, ...],
    options: tuple[str, ...],
    no_limits: bool,
    log_level: str,
    ready_file: Path | None,
) -> None:
    """Run a stand-in for VENDOR that answers as the vendor does, with the vendor's limits enforced.

    What it received stands at /_received. Without --credential every credential is the word "sandbox".

    \b
    Examples:
      gateway sandbox blueshift --port 9001
      gateway sandbox klaviyo --credential private_key=pk_test --credential company_id=AbC123
      gateway sandbox vibetrace --option strict=true
    """
    adapter = registry.adapter(vendor)
    account = _account(adapter, credentials)
    logger = make_logger(level=log_level)
    chosen = _options(adapter, options)
    app = StandIn(adapter, [account], logger, enforce_limits=not no_limits, options=chosen)
    listener = bind(host, port)
    url = url_of(listener)

    async def main() -> None:
        server = Server(app, listener)
        stop = stop_event()
        await server.start()
        write_ready(ready_file, {"url": url})
        click.echo(f"{adapter.title} stand-in at {url}; what it received: {url}{RECEIVED}", err=True)
        await stop.wait()
        await server.stop()

    run(main())


def _account(adapter: Adapter, given: tuple[str, ...]) -> dict[str, str]:
    known = [credential.name for credential in adapter.credentials]
    account = dict.fromkeys(known, "sandbox")
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise UsageError(f"--credential takes NAME=VALUE, not {name!r}")
        if name not in known:
            raise UsageError(f"{adapter.title} has no credential {name!r}; {unknown(name, known)}")
        account[name] = value
    return account


def _options(adapter: Adapter, given: tuple[str, ...]) -> Any:
    """Return the source's options; values are read as JSON, and as text where they are none."""
    chosen: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            chosen[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            chosen[name] = value
    if adapter.source_options is None:
        if chosen:
            raise UsageError(f"{adapter.title} has no options")
        return None
    known = list(adapter.source_options.__struct_fields__)
    if wrong := next((name for name in chosen if name not in known), None):
        raise UsageError(f"{adapter.title} has no option {wrong!r}; {unknown(wrong, known)}")
    try:
        return msgspec.convert(chosen, adapter.source_options)
    except msgspec.ValidationError as error:
        raise UsageError(f"--option: {error}") from None
