"""Makes the parts that a configuration describes."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway import registry
from gateway.config import Config, SourceConfig, TargetConfig, source_path, target_windows
from gateway.delivery import TargetSpec, Timeouts
from gateway.inbound.routes import Source

CONNECT_TIMEOUT_S: Final = 5.0


def build_source(name: str, source: SourceConfig) -> Source:
    """Return a source of the configuration, ready to answer."""
    adapter = registry.adapter(source.vendor)
    return Source(
        name,
        adapter,
        source.credentials,
        path=source_path(name, source),
        hosts=tuple(source.hosts),
        enforce_limits=source.enforce_limits,
        options=_options(adapter.source_options, source.options),
    )


def build_target(name: str, target: TargetConfig) -> TargetSpec:
    """Return a target of the configuration, ready to be delivered to."""
    adapter = registry.adapter(target.vendor)
    return TargetSpec(
        name=name,
        adapter=adapter,
        options=_options(adapter.target_options, target.options),
        credentials=target.credentials,
        base_url=target.base_url,
        windows=target_windows(target),
        concurrency=target.concurrency,
        timeouts=Timeouts(connect=min(CONNECT_TIMEOUT_S, target.timeout), read=target.timeout, total=target.timeout),
        max_age=target.max_age_hours * 3600,
        lane_patience=inf if target.lanes.max_wait_hours is None else target.lanes.max_wait_hours * 3600,
        overtaking=target.lanes.then,
    )


def _options(wanted: type[Struct] | None, options: Mapping[str, Any]) -> Any:
    return None if wanted is None else msgspec.convert(options, wanted)


def minters(config: Config) -> dict[str, Callable[[str], str] | None]:
    """Return, for each source that is asked about people, what makes their ids."""
    by_vendor = registry.minters()
    return {name: by_vendor[it.vendor] for name, it in config.sources.items() if it.vendor in by_vendor}
