"""What the port promises of every adapter's data: numbers with their sources, rules, names, credentials."""

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapter import Adapter, Answer, Encoded, Inbound, Limit, Outbound, Rule, Verdict, Window
from gateway.delivery.judge import Judge
from tests import strategies
from tests.contract import promises
from tests.contract.adapter_cases import ROOT, everyone, home, request

ADAPTERS: Final = everyone()
OUTBOUND: Final = [(adapter, out) for adapter in ADAPTERS.values() for out in adapter.outbound]
SOURCE: Final = re.compile(r"(https?://\S+|[\w.-]+\.[a-z]{2,}(/\S*)?|[\w.-]+/[\w.-]+|our choice[:;] \w+)([\s,].*)?")
"""A page, a public repository, or a choice with its reason."""

every_adapter = pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=list(ADAPTERS))
every_outbound = pytest.mark.parametrize(("adapter", "out"), OUTBOUND, ids=[f"{a.slug}-{o.name}" for a, o in OUTBOUND])


# --- numbers ---------------------------------------------------------------------------------------------


def _endpoints(adapter: Adapter) -> list[Inbound | Outbound]:
    return [*adapter.inbound, *adapter.outbound]


def _module(adapter: Adapter) -> ModuleType:
    """Return the module of an adapter's numbers: ``limits``, or the package when it is one file."""
    package = adapter.refuse.__module__.rpartition(".")[0] or adapter.refuse.__module__
    return sys.modules.get(f"{package}.limits", sys.modules[package])


def _numbers(adapter: Adapter) -> Iterator[tuple[str, Limit | Window]]:
    for name, value in promises.numbers(_module(adapter)):
        if isinstance(value, (Limit, Window)):
            yield name, value


@every_adapter
def test_no_number_stands_bare(adapter: Adapter) -> None:
    """In a file of numbers; an adapter in one file has other constants too."""
    module = _module(adapter)
    bare = [name for name, value in promises.numbers(module) if isinstance(value, (int, float))]
    assert bare == [] or Path(str(module.__file__)).name != "limits.py"


@every_adapter
def test_every_number_has_unit_source_and_date(adapter: Adapter) -> None:
    numbers = dict(_numbers(adapter))
    assert numbers
    for name, number in numbers.items():
        assert number.unit, name
        assert SOURCE.fullmatch(number.source), (name, number.source)
        assert date.fromisoformat(number.read) <= date(2027, 1, 1), name
        assert (number.value if isinstance(number, Limit) else number.count) > 0, name


@every_adapter
def test_a_rate_of_ours_says_so(adapter: Adapter) -> None:
    for name, number in _numbers(adapter):
        if isinstance(number, Window):
            assert number.ours == number.source.startswith("our choice"), name


@every_adapter
def test_every_limit_in_use_is_such_a_number(adapter: Adapter) -> None:
    numbers = [number for _, number in _numbers(adapter)]
    sizes = {number.value for number in numbers if isinstance(number, Limit)}
    used = {entry.max_body for entry in adapter.inbound}
    used |= {size for out in adapter.outbound for size in (out.max_body, out.max_events, out.pays_from)}
    assert used - sizes <= {0, 1}
    windows = {window for entry in _endpoints(adapter) for window in entry.windows}
    assert windows <= {number for number in numbers if isinstance(number, Window)}


@every_adapter
def test_the_contract_was_read_somewhere_some_day(adapter: Adapter) -> None:
    assert adapter.docs
    assert all(page.startswith("https://") for page in adapter.docs)
    assert date.fromisoformat(adapter.read)
    assert re.fullmatch(r"https://[\w.-]+", adapter.base_url)
    assert adapter.title


@every_adapter
def test_a_folder_is_called_like_its_vendor(adapter: Adapter) -> None:
    assert home(adapter.slug).name == adapter.slug == adapter.vocabulary.vendor
    assert re.fullmatch(r"[a-z][a-z0-9_]*", adapter.slug)


BUILT_IN: Final = [adapter for adapter in ADAPTERS.values() if (ROOT / "adapters" / adapter.slug).is_dir()]


@pytest.mark.parametrize("adapter", BUILT_IN, ids=lambda adapter: adapter.slug)
def test_the_readme_names_every_endpoint_and_credential(adapter: Adapter) -> None:
    text = (home(adapter.slug) / "README.md").read_text("utf-8")
    missing = {entry.path for entry in _endpoints(adapter) if entry.path not in text}
    missing |= {entry.name for entry in adapter.credentials if entry.name not in text}
    assert missing == set()


# --- endpoints and rules ---------------------------------------------------------------------------------


@every_adapter
def test_endpoints_are_told_apart(adapter: Adapter) -> None:
    inbound = [(entry.method, re.sub(r"{\w+}", "{}", entry.path)) for entry in adapter.inbound]
    assert len(set(inbound)) == len(inbound)
    assert len({entry.name for entry in adapter.inbound}) == len(adapter.inbound)
    assert len({out.name for out in adapter.outbound}) == len(adapter.outbound)
    for entry in _endpoints(adapter):
        assert re.fullmatch(r"/|(/[^/?\s]+)+", entry.path), entry.path
        assert entry.method == entry.method.upper()


@every_outbound
def test_what_we_call_is_also_stood_in_for(adapter: Adapter, out: Outbound) -> None:
    asked = request(adapter, {"method": out.method, "path": out.path})
    assert promises.inbound_of(adapter, out, asked).max_body >= out.max_body


@every_outbound
def test_no_rule_is_shadowed_by_an_earlier_one(adapter: Adapter, out: Outbound) -> None:
    for later, rule in enumerate(out.rules):
        codes = {(status, code) for earlier in out.rules[:later] for status, code in _covers(earlier)}
        free = [status for status in _statuses(rule) if not {(status, None), (status, rule.code)} & codes]
        assert free, rule
        assert rule.why


def _statuses(rule: Rule) -> range:
    return range(rule.status, rule.status + 1) if isinstance(rule.status, int) else rule.status


def _covers(rule: Rule) -> Iterator[tuple[int, str | None]]:
    return ((status, rule.code) for status in _statuses(rule))


@every_outbound
def test_every_status_has_a_verdict(adapter: Adapter, out: Outbound) -> None:
    judge = Judge(out)
    verdicts = {status: judge.verdict(Answer(status, {}, b"")).verdict for status in range(100, 600)}
    assert verdicts[429] is Verdict.THROTTLE
    assert verdicts[401] is (Verdict.RENEW if out.login else Verdict.HOLD)
    assert all(verdicts[status] is not Verdict.DONE for status in range(400, 600) if status != 409)
    assert all(verdicts[status] is not Verdict.REJECT for status in range(500, 600))


@every_outbound
@settings(deadline=None, max_examples=30)
@given(
    status=st.integers(100, 599),
    body=st.one_of(st.binary(max_size=40), strategies.json_values.map(promises.written), st.just(b"[" * 5000)),
)
def test_an_answer_in_any_form_is_judged(adapter: Adapter, out: Outbound, status: int, body: bytes) -> None:
    answer = Answer(status, {"content-type": "application/json"}, body)
    if out.error_code is not None:
        assert isinstance(out.error_code(answer), str | None)
    if out.guilty is not None:
        named = out.guilty(answer, Encoded(events=(0, 1), body=b"{}"))
        assert all(isinstance(position, int) and isinstance(why, str) for position, why in named.items())


# --- names -----------------------------------------------------------------------------------------------


@every_adapter
def test_names_are_one_to_one_both_ways(adapter: Adapter) -> None:
    shapes = list(adapter.vocabulary.shapes())
    assert len({(shape.kind, shape.name) for shape in shapes}) == len(shapes)
    for shape in shapes:
        for spelling in (shape.vendor_name, *shape.also):
            assert adapter.vocabulary.decode(spelling) is shape


@every_adapter
def test_fields_are_one_to_one_both_ways(adapter: Adapter) -> None:
    for shape in adapter.vocabulary.shapes():
        pairs = list(shape.table.paths())
        assert len({path for path, _ in pairs}) == len({key for _, key in pairs}) == len(pairs)


# --- credentials -----------------------------------------------------------------------------------------


class _Witness(Mapping[str, str]):
    """Credentials that remember which of them were asked for."""

    def __init__(self, held: Mapping[str, str]) -> None:
        self._held = held
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._held[name]

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return name in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


@every_adapter
def test_the_declared_credentials_are_those_in_use(adapter: Adapter) -> None:
    witness = _Witness(promises.credentials(adapter))
    for entry in adapter.inbound:
        if entry.auth is not None:
            assert not entry.auth.matches("", witness)
    needed = {name for out in adapter.outbound for name in out.needs}
    assert witness.asked | needed == {entry.name for entry in adapter.credentials}
    assert all(entry.about for entry in adapter.credentials)


@every_outbound
def test_headers_come_from_what_the_endpoint_needs(adapter: Adapter, out: Outbound) -> None:
    held = promises.credentials(adapter)
    given = _Witness({name: held[name] for name in out.needs})
    token = _Witness({"token": "test-token"})
    if out.login is not None:
        out.login.body(given)
        out.login.headers(given)
    headers = out.headers(given if out.login is None else token)
    assert given.asked == set(out.needs)
    assert token.asked == ({"token"} if out.login else set())
    assert len({name.lower() for name in headers}) == len(headers)
    assert all(re.fullmatch(r"[!-~][ -~]*", value) for value in headers.values())
