"""Options that several commands share."""

from pathlib import Path

import click

config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("gateway.yaml"),
    show_default=True,
    help="The configuration file.",
)
json_option = click.option("--json", "json_output", is_flag=True, help="Print JSON for machines.")
ready_option = click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the bound addresses here, as JSON, once connections are taken.",
)
