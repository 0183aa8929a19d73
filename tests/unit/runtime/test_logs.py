"""Logs: one JSON object an event, the call on each, and no words of people."""

import ast
import asyncio
import functools
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from services.runtime import log_fields
from services.runtime.logs import bind_call, bind_turn, configure_logs, get_logger, log_uncaught

ROOT = Path(__file__).parents[3]
WORD = "kanar" + "wort"  # of a caller; a traceback shows source lines, so no line has it whole


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


def failed(said: str) -> BaseException:
    try:
        try:
            raise ValueError(said)
        except ValueError as error:
            raise ExceptionGroup(said, [RuntimeError(said)]) from error
    except ExceptionGroup as error:
        return error


def test_a_traceback_is_one_line_without_what_callers_said(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", log_format="json", log_pii=False, service="tts")
    get_logger().error("unexpected_failure", exc_info=failed("canary"))
    [line] = capsys.readouterr().err.splitlines()
    shown = json.loads(line)["exception"]
    assert all(kind in shown for kind in ("ValueError", "ExceptionGroup", "RuntimeError", "test_logs.py"))
    assert "canary" not in line


def test_what_an_exception_says_is_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", log_format="json", log_pii=True, service="tts")
    get_logger().error("unexpected_failure", exc_info=ValueError("odd"))
    assert json.loads(capsys.readouterr().err)["pii.exception"] == "ValueError: odd"


def test_of_a_library_s_line_only_the_template_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", log_format="json", log_pii=False, service="tts")
    logging.getLogger("asyncio").warning("slow callback: %s", "0.2 s")
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <what a caller said>")
    logging.getLogger("http").error("cannot post what a caller said")
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in told] == [
        "slow callback: %s",
        "Task exception was never retrieved",
        "library_message",
    ]
    assert [(event["level"], event["service"], event["logger"]) for event in told] == [
        ("warning", "tts", "asyncio"),
        ("error", "tts", "asyncio"),
        ("error", "tts", "http"),
    ]
    assert "caller" not in json.dumps(told)


def test_a_library_s_template_is_shown_without_what_was_put_into_it(capsys: pytest.CaptureFixture[str]) -> None:
    for log_pii in (False, True):
        configure_logs(level="info", log_format="json", log_pii=log_pii, service="tts")
        library = logging.getLogger("http")
        library.warning("retry %d of %s", 2, WORD)
        library.warning("lost %(who)s", {"who": WORD})
        library.warning("%s", WORD)
        library.error(ValueError(WORD))
        told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert [event["event"] for event in told] == [
            "retry %d of %s",
            "lost %(who)s",
            "library_message",
            "library_message",
        ]
        assert (WORD in json.dumps(told)) == log_pii
        assert not any("args" in key for event in told for key in event)


class _Spoken:
    def __call__(self, *_said: str) -> None:
        raise ValueError(WORD)

    def __repr__(self) -> str:
        return f"heard {WORD}"


def test_of_asyncio_s_lines_no_argument_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(functools.partial(_Spoken(), WORD))
        loop.call_soon(_Spoken(), WORD)
        loop.call_soon(functools.partial(print, WORD, sep=7))
        loop.call_exception_handler({"message": f"Task <Task name={WORD!r}> has errored out"})
        loop.call_exception_handler({"message": "socket.send() raised exception.", "data": WORD})
        await asyncio.sleep(0.01)

    configure_logs(level="info", log_format="json", log_pii=False, service="tts")
    asyncio.run(main())
    lines = capsys.readouterr().err
    assert WORD not in lines
    assert sorted(json.loads(line)["event"] for line in lines.splitlines()) == [
        *["Exception in callback"] * 3,
        "Task",
        "socket.send() raised exception.",
    ]


def test_a_field_that_is_not_in_the_list_is_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", log_format="json", log_pii=False, service="tts")
    get_logger().info("call_ended", destination="+84123456789", error="could not reach +84123456789", turns=3)
    get_logger().info("call_ended", reason="no route to +84123456789", cause="two words", turns="three")
    told = capsys.readouterr().err.splitlines()
    assert set(json.loads(told[0])) == {"event", "level", "timestamp", "service", "turns"}
    assert set(json.loads(told[1])) == {"event", "level", "timestamp", "service"}


def test_a_field_that_is_not_in_the_list_is_shown_where_people_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", log_format="json", log_pii=True, service="tts")
    get_logger().info("call_ended", destination="+84123456789")
    assert json.loads(capsys.readouterr().err)["pii.destination"] == "+84123456789"


def test_every_field_that_services_log_is_in_the_list_or_personal() -> None:
    known = log_fields.META | log_fields.SENTENCES | log_fields.CODES | log_fields.NUMBERS | log_fields.FREE_TEXT
    used = {name for path in sorted((ROOT / "services").rglob("*.py")) for name in logged_fields(path)}
    assert len(used) > 40, "they are still found"
    assert {name for name in used - known - {"exc_info"} if not name.startswith("pii.")} == set()


def logged_fields(path: Path) -> Iterator[str]:
    """The keywords of the calls of loggers in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("debug", "info", "warning", "error", "exception")
            and any(name in ast.unparse(node.func.value) for name in ("log", "line"))
        ):
            yield from (keyword.arg for keyword in node.keywords if keyword.arg)


def test_a_call_without_an_id_gets_one() -> None:
    assert bind_call("") != bind_call("")


def test_a_call_id_cannot_forge_a_log_line() -> None:
    assert bind_call("a\nb\x1b[31m" + "c" * 500).startswith("ab[31mccc")
    assert len(bind_call("x" * 500)) == 128


@pytest.mark.parametrize("name", ["desk", "the front desk", "Lễ tân", "x" * 200])
def test_who_watches_or_ends_is_logged_whatever_the_operator_calls_them(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    configure_logs(level="info", log_format="json", log_pii=False, service="call")
    get_logger("demo").info("watch_began", who=name)
    assert json.loads(capsys.readouterr().err)["who"] == name


class _Unruly:
    def __del__(self) -> None:
        raise ValueError(WORD)


def test_an_uncaught_exception_is_one_line_without_its_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, hook in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(module, hook, getattr(module, hook))  # given back at the end
    configure_logs(level="info", log_format="json", log_pii=False, service="tts")
    with warnings.catch_warnings():
        log_uncaught()
        try:
            raise ValueError(WORD)
        except ValueError as error:
            sys.excepthook(ValueError, error, error.__traceback__)

        def fail() -> None:
            raise RuntimeError(WORD)

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        _Unruly()
        warnings.simplefilter("always")
        warnings.warn(WORD, stacklevel=1)
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
        logging.captureWarnings(False)
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in lines[:3]] == ["exception_uncaught"] * 3
    assert [json.loads(line)["logger"] for line in lines[3:]] == ["py.warnings"]
    assert WORD not in "".join(lines)
    assert "RuntimeError" in json.loads(lines[1])["exception"]
