"""The image's parts, made once."""

import pytest

from tests.unit.deploy.places import make_image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the image's environment."""
    return make_image(tmp_path_factory.mktemp("image"))
