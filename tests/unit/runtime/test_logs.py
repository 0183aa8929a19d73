"""Logs: one JSON object an event, the call on each, and nobody's words."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.runtime.logs import bind_call, bind_turn, configure_logs, get_logger


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    for handler in logging.getLogger().handlers[:]:
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter):
            logging.getLogger().removeHandler(handler)


def logged(
    capsys: pytest.CaptureFixture[str], *, log_pii: bool = False, level: str = "info"
) -> list[dict[str, object]]:
    configure_logs(level=level, log_format="json", log_pii=log_pii, service="tts")
    log = get_logger("demo")
    log.debug("detail")
    log.info("turn_ended", outcome="cancelled", **{"pii.text": "xin chào"})
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_carries_service_call_and_turn(capsys: pytest.CaptureFixture[str]) -> None:
    bind_call("call-7")
    bind_turn(3)
    [event] = logged(capsys)
    assert event["event"] == "turn_ended"
    assert (event["service"], event["call_id"], event["turn_id"]) == ("tts", "call-7", 3)


def test_what_people_say_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    assert "pii.text" not in logged(capsys)[0]


def test_what_people_say_is_logged_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert logged(capsys, log_pii=True)[0]["pii.text"] == "xin chào"


def test_the_level_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert [event["event"] for event in logged(capsys, level="debug")] == ["detail", "turn_ended"]


def test_a_traceback_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", log_format="json", log_pii=False, service="tts")
    get_logger().error("unexpected_failure", exc_info=ValueError("odd"))
    [line] = capsys.readouterr().err.splitlines()
    assert "ValueError: odd" in json.loads(line)["exception"]


def test_what_a_library_logs_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", log_format="json", log_pii=False, service="tts")
    logging.getLogger("asyncio").warning("slow callback: %s", "0.2 s")
    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["level"], event["service"]) == ("slow callback: 0.2 s", "warning", "tts")


def test_a_call_without_an_id_gets_one() -> None:
    assert bind_call("") != bind_call("")


def test_a_call_id_cannot_forge_a_log_line() -> None:
    assert bind_call("a\nb\x1b[31m" + "c" * 500).startswith("ab[31mccc")
    assert len(bind_call("x" * 500)) == 128
