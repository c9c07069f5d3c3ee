"""Results as a build server reads them."""

import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rehearsal import Difference, Result, junit


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_the_texts_it_is_xml(name: str, value: str) -> None:
    wrong = Difference("crm", "properties.a", value, {"x": value}, "orders", why=value)
    results = [Result("orders", name, "routes.yaml", 7, [wrong]), Result(value, "right", "routes.yaml", 9)]
    root = ET.fromstring(junit(results))
    assert (root.attrib["tests"], root.attrib["failures"]) == ("2", "1")
    first, second = root.iter("testcase")
    assert (first.attrib["line"], second.find("failure")) == ("7", None)
    assert first.find("failure") is not None


def test_a_case_is_an_example_and_a_failure_all_its_differences() -> None:
    several = [Difference("crm", path, 1, None, None) for path in ("a<b", "c&d")]
    (case,) = ET.fromstring(junit([Result("orders", "first", "r.yaml", 3, several)])).iter("testcase")
    assert case.attrib == {"classname": "orders", "name": "first", "file": "r.yaml", "line": "3"}
    (failure,) = case
    assert failure.text == "crm: a<b: expected 1, found nothing\ncrm: c&d: expected 1, found nothing"
