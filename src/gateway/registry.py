"""Finds adapters: the built-in shelf, installed packages, and a drop-in folder.

* Shelf: every sub-package of a package named in the entry-point group ``gateway.shelves``.
* Third parties: entry points ``name = "package:ADAPTER"`` in the group ``gateway.adapters``.
* Drop-in: ``$GATEWAY_ADAPTERS_DIR/<vendor>/__init__.py``, loaded by path.
"""

import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from gateway.adapter import Adapter
from gateway.errors import AdapterError

DROP_IN = "GATEWAY_ADAPTERS_DIR"
"""Environment variable that names the drop-in folder."""


@cache
def adapters() -> dict[str, Adapter]:
    """Return all adapters by slug, found and imported once.

    Raises:
        AdapterError: one does not import, two claim one slug, or there is none at all.
    """
    found: dict[str, Adapter] = {}
    origins: dict[str, str] = {}
    for origin, adapter in _discover():
        if adapter.slug in found:
            raise AdapterError(f"two adapters are called {adapter.slug!r}: {origins[adapter.slug]} and {origin}")
        found[adapter.slug] = adapter
        origins[adapter.slug] = origin
    if not found:
        raise AdapterError("no adapters found: is another package named 'adapters' installed in this environment?")
    return dict(sorted(found.items()))


def adapter(slug: str) -> Adapter:
    """Return one adapter.

    Raises:
        AdapterError: nobody is called that; the message names the nearest.
    """
    known = adapters()
    if slug in known:
        return known[slug]
    near = get_close_matches(slug, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise AdapterError(f"no adapter is called {slug!r}; {hint}")


def minters() -> dict[str, Callable[[str], str] | None]:
    """Return, for each vendor whose sources are asked about people, what makes their ids; None: a UUID will do."""
    asked = {slug: any(endpoint.people for endpoint in found.inbound) for slug, found in adapters().items()}
    return {slug: found.mint for slug, found in adapters().items() if asked[slug]}


def _discover() -> Iterator[tuple[str, Adapter]]:
    for shelf in entry_points(group="gateway.shelves"):
        yield from _shelf(shelf.value)
    for entry in entry_points(group="gateway.adapters"):
        origin = f"{entry.value} (package {entry.dist.name if entry.dist else '?'})"
        try:
            yield origin, _checked(entry.load(), origin)
        except AdapterError:
            raise
        except Exception as error:
            raise AdapterError(f"{origin} does not load: {error!r}") from error
    if folder := os.environ.get(DROP_IN):
        yield from _drop_in(Path(folder))


def _shelf(package: str) -> Iterator[tuple[str, Adapter]]:
    for module in pkgutil.iter_modules(_imported(package).__path__):
        if module.ispkg:
            name = f"{package}.{module.name}"
            yield name, _adapter_of(_imported(name), name)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise AdapterError(f"{name} does not import: {error!r}") from error


def _drop_in(folder: Path) -> Iterator[tuple[str, Adapter]]:
    if not folder.is_dir():
        raise AdapterError(f"{DROP_IN} names {folder}, which is no folder")
    for path in sorted(folder.glob("*/__init__.py")):
        name = f"_gateway_adapters_{path.parent.name}"
        spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)])
        if spec is None or spec.loader is None:  # pragma: no cover - a .py file always has a loader
            raise AdapterError(f"{path} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise AdapterError(f"{path} does not import: {error!r}") from error
        yield str(path.parent), _adapter_of(module, str(path.parent))


def _adapter_of(module: ModuleType, origin: str) -> Adapter:
    if not hasattr(module, "ADAPTER"):
        raise AdapterError(f"{origin} has no ADAPTER")
    return _checked(module.ADAPTER, origin)


def _checked(value: object, origin: str) -> Adapter:
    if not isinstance(value, Adapter):
        raise AdapterError(f"{origin}: ADAPTER is a {type(value).__name__}, not a gateway.adapter.Adapter")
    return value
