"""`gateway.yaml`: read, variables filled in, checked whole, every problem told with its line.

`model` is what the file says, `reading` makes it out of YAML, `checks` finds what is wrong beyond its shape.
"""

from gateway.config.model import (
    Admin,
    Checked,
    Config,
    Duplicates,
    JetStreamConfig,
    LimitsConfig,
    Listen,
    LogConfig,
    LoggingConfig,
    ReceiptsConfig,
    Retention,
    SourceConfig,
    TargetConfig,
    WindowConfig,
    source_path,
    target_windows,
)
from gateway.config.reading import load, load_with_places

__all__ = [
    "Admin",
    "Checked",
    "Config",
    "Duplicates",
    "JetStreamConfig",
    "LimitsConfig",
    "Listen",
    "LogConfig",
    "LoggingConfig",
    "ReceiptsConfig",
    "Retention",
    "SourceConfig",
    "TargetConfig",
    "WindowConfig",
    "load",
    "load_with_places",
    "source_path",
    "target_windows",
]
