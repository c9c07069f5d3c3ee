"""Where a cluster's processes live: all on loopback, or each in a network of its own, as on machines of their own."""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final, Protocol, TypeVar

from tests.e2e.cluster.links import Link, Network

T = TypeVar("T")

NOBODY: Final = "02:00:00:00:00:99"
"""A hardware address that no machine has: what is sent to it vanishes."""
BURST: Final = 16_000
"""Bytes that a narrow line takes at once."""
QUEUE_MS: Final = 5_000


class Wire(Protocol):
    """What one process reaches another by."""

    @property
    def address(self) -> str:
        """Host and port to connect to."""


class Ground(Protocol):
    """Starts processes apart from each other, and stands between them."""

    listen: str
    """The address that processes listen on."""

    def host(self, name: str) -> str:
        """Return the address of a process for who runs the test."""

    def inside(self, name: str) -> AbstractContextManager[None]:
        """Within which processes that are started are this one."""

    def wire(self, start: str, end: str, port: int) -> Wire:
        """Return what leads from a process to a port of another."""

    def out(self, url: str) -> str:
        """Return the URL under which processes find a server of the test's own."""

    def cut(self, *wires: Wire, there: bool = True, back: bool = True) -> None:
        """Have vanish what is sent; one way only, if so asked: `there` is from who connects."""

    def slow(self, *wires: Wire, delay_s: float, bytes_per_s: int) -> None:
        """Let everything through late, and not much of it at a time."""

    def heal(self) -> None:
        """Make everything whole and fast."""

    def end(self) -> None:
        """Take it all down."""


class Loopback:
    """All on this machine's loopback, with links between them: everywhere, and without being root."""

    listen = "127.0.0.1"

    def __init__(self) -> None:
        self._network = Network()
        self.heal, self.end = self._network.heal, self._network.end

    def host(self, name: str) -> str:
        return self.listen

    def inside(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()

    def wire(self, start: str, end: str, port: int) -> Link:
        return self._network.link(port)

    def out(self, url: str) -> str:
        return url

    def cut(self, *wires: Wire, there: bool = True, back: bool = True) -> None:
        self._network.cut(*_only(Link, wires), there=there, back=back)

    def slow(self, *wires: Wire, delay_s: float, bytes_per_s: int) -> None:
        self._network.slow(*_only(Link, wires), delay_s=delay_s, bytes_per_s=bytes_per_s)


class _Cable:
    """From one process's network to another's."""

    def __init__(self, start: str, end: str, address: str) -> None:
        self.start = start
        self.end = end
        self.address = address


class Namespaces:
    """Each process in a network namespace of its own, on one bridge: real packets that are really lost. Needs root.

    Packets are lost by telling a namespace a hardware address that nobody has. Lines are narrowed, and made long where
    the kernel has `netem`.
    """

    listen = "0.0.0.0"

    def __init__(self) -> None:
        self._name = f"gw{os.getpid()}"
        self._net = f"10.213.{os.getpid() % 250}"
        self._numbers: dict[str, int] = {}
        self._cables: list[_Cable] = []
        self._slowed: set[str] = set()
        self._proxies = Network()
        self.delays = _ran("modprobe", "--quiet", "sch_netem") or Path("/sys/module/sch_netem").exists()
        _run("ip", "link", "add", self._name, "type", "bridge")
        _run("ip", "addr", "add", f"{self._net}.1/24", "dev", self._name)
        _run("ip", "link", "set", self._name, "up")

    @staticmethod
    def missing() -> str | None:
        """Return why this machine cannot have them, or None."""
        if os.geteuid() != 0:
            return "network namespaces need root"
        if not _ran("ip", "link", "show") or not _ran("tc", "qdisc", "show"):
            return "network namespaces need ip and tc, of Debian's iproute2"
        return None

    def host(self, name: str) -> str:
        if name not in self._numbers:
            self._numbers[name] = 10 + len(self._numbers)
            self._add(name)
        return f"{self._net}.{self._numbers[name]}"

    def _add(self, name: str) -> None:
        space, outer = self._space(name), self._outer(name)
        _run("ip", "netns", "add", space)
        _run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space)
        _run("ip", "link", "set", outer, "master", self._name, "up")
        _run("ip", "-n", space, "addr", "add", f"{self._net}.{self._numbers[name]}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run("ip", "-n", space, "link", "set", device, "up")

    def _space(self, name: str) -> str:
        return f"{self._name}-{name}"

    def _outer(self, name: str) -> str:
        return f"{self._name}-{self._numbers[name]}"

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        self.host(name)
        with Path("/proc/thread-self/ns/net").open() as outside:
            with Path(f"/run/netns/{self._space(name)}").open() as space:
                _enter(space.fileno())
            try:
                yield
            finally:
                _enter(outside.fileno())

    def wire(self, start: str, end: str, port: int) -> _Cable:
        self.host(start)
        self._cables.append(_Cable(start, end, f"{self.host(end)}:{port}"))
        return self._cables[-1]

    def out(self, url: str) -> str:
        """See `Ground`; the test's servers listen on loopback, which is another in each namespace."""
        proxy = self._proxies.link(int(url.rpartition(":")[2]), f"{self._net}.1")
        return f"http://{proxy.address}"

    def cut(self, *wires: Wire, there: bool = True, back: bool = True) -> None:
        for cable in _only(_Cable, wires):
            for meant, sender, receiver in ((there, cable.start, cable.end), (back, cable.end, cable.start)):
                if meant:
                    self._neighbour("replace", sender, receiver, "lladdr", NOBODY, "nud", "permanent")

    def _neighbour(self, what: str, sender: str, receiver: str, *more: str) -> None:
        _run("ip", "-n", self._space(sender), "neigh", what, self.host(receiver), *more, "dev", "eth0")

    def slow(self, *wires: Wire, delay_s: float, bytes_per_s: int) -> None:
        """See `Ground`; the whole line of the process at which all these wires end."""
        (name,) = set.intersection(*({cable.start, cable.end} for cable in _only(_Cable, wires)))
        self._slowed.add(name)
        for device in self._devices(name):
            if self.delays:
                line = ["netem", "delay", f"{delay_s * 1000:.0f}ms", "rate", f"{bytes_per_s * 8}bit"]
            else:
                line = ["tbf", "rate", f"{bytes_per_s * 8}bit", "burst", str(BURST), "latency", f"{QUEUE_MS}ms"]
            _run("tc", *device, "root", *line)

    def _devices(self, name: str) -> Sequence[Sequence[str]]:
        """Return how `tc` names both ends of a process's line."""
        within = ("-n", self._space(name), "qdisc", "replace", "dev", "eth0")
        return (within, ("qdisc", "replace", "dev", self._outer(name)))

    def heal(self) -> None:
        for cable in self._cables:
            for sender, receiver in ((cable.start, cable.end), (cable.end, cable.start)):
                with suppress(OSError):  # it was not cut
                    self._neighbour("del", sender, receiver)
        for name in self._slowed:
            for device in self._devices(name):
                _run("tc", *("del" if word == "replace" else word for word in device), "root")
        self._slowed.clear()

    def end(self) -> None:
        for name in self._numbers:
            _ran("ip", "netns", "del", self._space(name))
        _ran("ip", "link", "del", self._name)
        self._proxies.end()


def _only(kind: type[T], wires: Sequence[Wire]) -> list[T]:
    """Return wires as what this ground has made them."""
    return [wire for wire in wires if isinstance(wire, kind)]


def _enter(descriptor: int) -> None:
    """Have this thread, and what it starts, be in a namespace."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def _ran(*command: str) -> bool:
    try:
        _run(*command)
    except OSError:
        return False
    return True
