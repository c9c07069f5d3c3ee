"""Results as JUnit XML, which build servers read (github.com/testmoapp/junitxml lists what is common to them)."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Final

from gateway.rehearsal.running import Difference, Result
from gateway.rehearsal.showing import shown

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not (www.w3.org/TR/xml, section 2.2)."""


def junit(results: Sequence[Result]) -> bytes:
    """Return one test case for each example."""
    failures = str(sum(not result.right for result in results))
    suites = ET.Element("testsuites", tests=str(len(results)), failures=failures)
    suite = ET.SubElement(suites, "testsuite", name="gateway check", tests=str(len(results)), failures=failures)
    for result in results:
        case = ET.SubElement(
            suite, "testcase", classname=_text(result.rule), name=_text(result.name), file=_text(result.file),
            line=str(result.line),
        )  # fmt: skip
        if not result.right:
            lines = [result.trouble] if result.trouble else [told(one) for one in result.differences]
            failure = ET.SubElement(case, "failure", message=_text(lines[0]), type="difference")
            failure.text = _text("\n".join(lines))
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def told(one: Difference) -> str:
    """Return a difference in one line."""
    where = ": ".join(part for part in (one.target, one.path) if part)
    return f"{where}: expected {shown(one.expected)}, found {shown(one.found)}" + (f" ({one.why})" if one.why else "")


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
