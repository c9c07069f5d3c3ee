"""Log lines: one JSON object each, levels kept, and no secret in any of them."""

import json
import logging
from typing import Any

import pytest

from gateway.telemetry import make_logger

SECRETS = ['pk_"quoted"_secret', "pk_short", "pk_short_and_longer", "abc"]


Stderr = pytest.CaptureFixture[bytes]


@pytest.fixture
def stderr(capsysbinary: Stderr) -> Stderr:
    return capsysbinary


def lines(stderr: Stderr) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.readouterr().err.splitlines()]


def test_a_line_is_json_with_level_and_time(stderr: Stderr) -> None:
    make_logger("json").info("request", status=202, events=1)
    (line,) = lines(stderr)
    assert (line["event"], line["level"], line["status"], line["events"]) == ("request", "info", 202, 1)
    assert line["timestamp"].endswith("Z")


def test_levels_below_are_left_out(stderr: Stderr) -> None:
    logger = make_logger("json", "warning")
    logger.info("request")
    logger.warning("held")
    assert [line["event"] for line in lines(stderr)] == ["held"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_blotted_out_wherever_they_stand(form: Any, stderr: Stderr) -> None:
    logger = make_logger(form, secrets=SECRETS)
    logger.info("request", path=f"/x?key={SECRETS[0]}", why=f"{SECRETS[1]} and {SECRETS[2]}")
    text = stderr.readouterr().err.decode()
    assert "secret" not in text
    assert "pk_short" not in text
    assert "_and_longer" not in text
    assert "***" in text


def test_a_traceback_holds_no_secret(stderr: Stderr) -> None:
    logger = make_logger("json", secrets=SECRETS)
    try:
        int("pk_short_and_longer")
    except ValueError:
        logger.exception("fault")
    (line,) = lines(stderr)
    assert line["level"] == "error"
    assert "ValueError: invalid literal for int() with base 10: '***'" in line["exception"]


def test_lines_of_libraries_come_out_of_the_same_place(stderr: Stderr) -> None:
    make_logger("json", secrets=SECRETS)
    logging.getLogger("some.library").warning("odd %s", "pk_short")
    (line,) = lines(stderr)
    assert (line["event"], line["logger"], line["message"]) == ("library", "some.library", "odd ***")
