"""Fixtures; the rest is in `support`."""

import pytest

from adapters.yespo.tests.support import Client


@pytest.fixture
def client() -> Client:
    return Client()
