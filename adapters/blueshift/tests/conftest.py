"""Fixtures; the rest is in `support`."""

import pytest

from adapters.blueshift.tests.support import Client


@pytest.fixture
def client() -> Client:
    return Client()
