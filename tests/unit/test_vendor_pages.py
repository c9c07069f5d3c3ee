"""The pages about vendors say what the adapters say."""

from pathlib import Path

import pytest

from tests.vendor_pages import PAGES, pages

WRITTEN = pages()


@pytest.mark.parametrize("path", sorted(WRITTEN), ids=lambda path: path.name)
def test_a_page_is_what_the_adapter_says(path: Path) -> None:
    assert path.read_text("utf-8") == WRITTEN[path].rstrip() + "\n", "run: python -m tests.vendor_pages"


def test_no_page_is_of_a_vendor_that_is_gone() -> None:
    assert set(PAGES.glob("*.md")) == set(WRITTEN)
