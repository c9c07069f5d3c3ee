"""What tests of the cluster break: wires that can be cut and slowed."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.e2e.cluster.links import Link, Network

SHORT_S = 0.3


class Echo(threading.Thread):
    """Sends back all it gets."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.got = b""
        self.ended = threading.Event()

    def run(self) -> None:
        connection, _ = self.listener.accept()
        with connection, self.listener:
            while data := connection.recv(4096):
                self.got += data
                connection.sendall(data)
        self.ended.set()


@pytest.fixture
def echo() -> Echo:
    made = Echo()
    made.start()
    return made


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.end()


def connected(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=10)


def silent(one: socket.socket) -> bool:
    """Tell whether nothing comes, not even an end."""
    one.settimeout(SHORT_S)
    try:
        one.recv(100)
    except TimeoutError:
        return True
    finally:
        one.settimeout(10)
    return False


def test_what_is_cut_vanishes_and_arrives_when_it_is_healed(echo: Echo, network: Network) -> None:
    link = network.link(echo.port)
    with connected(link) as one:
        one.sendall(b"before ")
        assert one.recv(100) == b"before "
        network.cut(link)
        one.sendall(b"after")
        assert silent(one)
        assert echo.got == b"before "
        network.heal()
        assert one.recv(100) == b"after"


def test_one_way_alone_is_cut(echo: Echo, network: Network) -> None:
    link = network.link(echo.port)
    with connected(link) as one:
        one.sendall(b"1")
        assert one.recv(100) == b"1"
        network.cut(link, there=False)
        one.sendall(b"2")
        assert silent(one)
        assert echo.got == b"12"


def test_the_end_of_a_connection_is_not_heard_of_while_it_is_cut(echo: Echo, network: Network) -> None:
    link = network.link(echo.port)
    with connected(link) as one:
        one.sendall(b"1")
        assert one.recv(100) == b"1"
        network.cut(link)
    assert not echo.ended.wait(SHORT_S)
    network.heal()
    assert echo.ended.wait(10)


def test_a_connection_through_a_cut_is_made_when_it_is_healed(echo: Echo, network: Network) -> None:
    link = network.link(echo.port)
    network.cut(link)
    with connected(link) as one:
        one.sendall(b"1")
        assert silent(one)
        network.heal()
        assert one.recv(100) == b"1"


def test_a_slow_link_takes_its_time(echo: Echo, network: Network) -> None:
    link = network.link(echo.port)
    with connected(link) as one:
        network.slow(link, delay_s=0.1, bytes_per_s=10_000)
        begun = time.monotonic()
        one.sendall(b"x" * 2000)
        got = b""
        while len(got) < 2000:
            got += one.recv(4096)
        assert time.monotonic() - begun >= 2 * (0.1 + 0.2)
