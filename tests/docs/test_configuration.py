"""The page about the configuration knows every vendor, and shows what commands print."""

import subprocess
from collections.abc import Sequence

import pytest

from gateway import registry
from gateway.adapter import Adapter
from tests.docs.test_blocks import ROOT, blocks, run_shell

PAGE = ROOT / "docs" / "configuration.md"


@pytest.mark.parametrize("adapter", registry.adapters().values(), ids=lambda adapter: adapter.slug)
def test_it_names_every_credential_and_links_the_page_about_it(adapter: Adapter) -> None:
    page = PAGE.read_text()
    assert f"../adapters/{adapter.slug}/README.md" in page
    for credential in adapter.credentials:
        assert f"`{credential.name}`" in page


@pytest.mark.parametrize("adapter", registry.adapters().values(), ids=lambda adapter: adapter.slug)
def test_a_vendors_own_page_names_its_options(adapter: Adapter) -> None:
    page = (ROOT / "adapters" / adapter.slug / "README.md").read_text()
    for options in (adapter.source_options, adapter.target_options):
        for name in () if options is None else options.__struct_fields__:
            assert f"`{name}`" in page


def test_it_shows_what_its_commands_print() -> None:
    found: Sequence[tuple[str, str]] = blocks(PAGE)
    printed: subprocess.CompletedProcess[str] | None = None
    for kind, text in found:
        if kind == "sh":
            printed = run_shell(text, ROOT)
        elif kind == "text":
            assert printed is not None
            assert text in printed.stdout
