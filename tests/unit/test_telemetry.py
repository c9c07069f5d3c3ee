"""Log lines: one JSON object each, levels kept, and no secret in any of them."""

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.telemetry import AttemptLine, Logger, RequestLine, make_logger

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


def answer(logger: Logger, path: str = "/x") -> None:
    assert logger.requests is not None
    at = datetime(2026, 11, 21, tzinfo=UTC)
    logger.requests(RequestLine("shop", "events", "POST", path, 202, 1, 738, 1.5, "id", at))


@pytest.mark.parametrize("form", ["json", "console"])
def test_lines_of_requests_keep_their_order_among_the_others_and_no_secret(form: Any, stderr: Stderr) -> None:
    async def work() -> None:
        logger = make_logger(form, secrets=SECRETS)
        for number in range(1200):
            answer(logger, f"/{number}?key=pk_short")
        logger.warning("between")
        answer(logger, "/last")
        await asyncio.sleep(0)

    asyncio.run(work())
    text = stderr.readouterr().err.decode()
    found = text.splitlines()
    assert [(f"/{n}?key=***" in line) for n, line in enumerate(found[:1200])] == [True] * 1200
    assert "between" in found[1200]
    assert "/last" in found[1201]
    assert len(found) == 1202


def test_lines_of_requests_look_like_all_lines(stderr: Stderr) -> None:
    async def work() -> None:
        answer(make_logger("json"))

    asyncio.run(work())
    (line,) = lines(stderr)
    assert line == {
        "source": "shop", "endpoint": "events", "method": "POST", "path": "/x", "status": 202, "events": 1,
        "bytes": 738, "ms": 1.5, "request_id": "id", "event": "request", "level": "info",
        "timestamp": "2026-11-21T00:00:00Z",
    }  # fmt: skip


def test_no_line_of_a_request_is_lost_when_the_program_fails(stderr: Stderr) -> None:
    async def work() -> None:
        answer(make_logger("json"))
        raise RuntimeError("fault")

    with pytest.raises(RuntimeError):
        asyncio.run(work())
    assert [line["event"] for line in lines(stderr)] == ["request"]


def test_lines_of_requests_are_left_out_above_their_level() -> None:
    assert make_logger("json", "warning").requests is None


def test_the_line_of_an_attempt_is_written_like_the_others_and_left_out_like_them(stderr: Stderr) -> None:
    line = AttemptLine("mail", "events", 503, "retry", "503", 2, "id", 1, 738, 12.5, datetime(2026, 11, 21, tzinfo=UTC))

    async def work() -> None:
        logger = make_logger("json")
        assert logger.attempts is not None
        logger.attempts(line)
        await asyncio.sleep(0)

    asyncio.run(work())
    (written,) = lines(stderr)
    told = {key: written[key] for key in ("event", "level", "target", "status", "verdict", "events", "first", "ms")}
    assert told == {
        "event": "attempt", "level": "info", "target": "mail", "status": 503,
        "verdict": "retry", "events": 2, "first": "id", "ms": 12.5,
    }  # fmt: skip
    assert make_logger("json", "warning").attempts is None
