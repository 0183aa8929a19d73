"""Agent's claims of a deed, or of a wish that cannot be had: they pass the guard whatever words the caller used."""

from datetime import datetime

import pytest

from services.nlu.agent.evidence import Evidence
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.guarding import guard_of
from services.nlu.agent.profile import read_agents
from services.nlu.guarded_reply import behind_opening
from services.nlu.settings import NluSettings

PROFILES = read_agents(NluSettings().agents_dir)
GUARDS = {name: guard_of(PROFILES[name]) for name in ("clinic", "hotel")}
NOW = datetime(2026, 11, 30, 9)  # a Monday
FREED = datetime(2026, 12, 3, 11, 30)  # no free time of the clinic's file
RESULT = '{"status": "done", "freed": "2026-12-03T11:30"}'
BOOKED = '{"status": "done", "booked": "2026-12-04T09:00"}'
CONSENTS = {
    "en": ["Yes, cross me off.", "Yes, I'm busy, it's closed for me.", "Sure, I can't come.", "Go ahead, free it up."],
    "vi": ["Ừ, hôm đó chị nghỉ.", "Ừ, anh bận rồi.", "Đúng rồi, chị không đến được."],
}


def rule(clause: str, agent: str = "clinic", language: str = "en", **evidence: object) -> str:
    given = Evidence(now=NOW, **evidence)  # type: ignore[arg-type] # as given
    return GUARDS[agent].check(clause, language=language, evidence=given).rule


@pytest.mark.parametrize(("code", "said"), [(code, said) for code in CONSENTS for said in CONSENTS[code]])
@pytest.mark.parametrize("name", ["cancelled", "booked", "moved"])
def test_a_moment_in_a_deeds_result_is_told_whatever_the_caller_said_before(code: str, said: str, name: str) -> None:
    words = Templates(code)
    text = words.say(name, when=words.at(words.date(FREED.date()), FREED.time()))
    head, colon, moment = text.partition(":") if code == "en" else ("", "", text)
    deed = {"cancelled": "clinic_cancel", "booked": "clinic_book", "moved": "clinic_move"}[name]
    given = {"caller": (said,), "tools": (RESULT,), "deeds": (RESULT,), "done": frozenset({deed})}
    assert rule(moment, language=code, reply=head + colon, **given) == ""


def test_a_moment_that_is_in_no_result_is_not_told() -> None:
    said: dict[str, object] = {"caller": ("Yes, take me off.",), "reply": "Your appointment is cancelled: "}
    deed = {"tools": (RESULT,), "deeds": (RESULT,), "done": frozenset({"clinic_cancel"})}
    assert rule("Thursday, December 3 at 2 p.m.", **said, **deed) == "free_time"
    assert rule("Wednesday, December 2 at 11:30 a.m.", **said, **deed) == "free_time"
    assert rule("We are closed on Thursday, December 3 at 11:30 a.m.", **said, **deed) == "hours"
    assert rule("Thursday, December 3 at 11:30 a.m.", caller=said["caller"]) == "hours"


def test_a_moment_that_was_only_looked_up_is_not_told_of_a_deed() -> None:
    looked_up = '{"status": "done", "taken": ["2026-12-03T11:30"]}'
    done = {"tools": (looked_up, BOOKED), "deeds": (BOOKED,), "done": frozenset({"clinic_book"})}
    said: dict[str, object] = {"caller": ("Yes, at nine, I'm busy then.",), "reply": "Your appointment is booked: "}
    assert rule("Friday, December 4 at 9 a.m.", **said, **done) == ""
    assert rule("Thursday, December 3 at 11:30 a.m.", **said, **done) != ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("en", "Tuesday the eighth at nine."),  # of December: there is no such Tuesday this month
        ("en", "The thirty-first of November."),
        ("vi", "Thứ Ba ngày 8 lúc chín giờ nhé."),
        ("vi", "Ngày 31 tháng 11."),
    ],
)
def test_no_time_is_free_on_a_day_that_the_caller_named(code: str, said: str) -> None:
    refusal = Templates(code).say("free_no", times="|").partition(".")[0].removeprefix("I'm sorry,") + "."
    assert rule(refusal, language=code, caller=(said,)) == ""


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ("The 12th is a Saturday, so we're open from 9 a.m. to 1 p.m.", "en"),
        ("Dạ ngày 12 là thứ Bảy, bên em làm từ 9 giờ đến 1 giờ chiều ạ.", "vi"),
    ],
)
def test_a_day_of_the_month_is_the_next_such_day(clause: str, code: str) -> None:
    assert rule(clause, language=code, caller=("The 12th?",)) == ""
    assert rule(clause.replace("12", "11"), language=code, caller=("The 11th?",)) in ("date", "hours")


def test_a_day_of_the_month_is_one_that_the_month_has() -> None:
    asked = {"caller": ("The 31st?",)}  # it is November
    assert rule("The 31st is a Thursday, so we are open from 8 a.m. to 6 p.m.", **asked) == ""
    assert rule("The 31st is a Monday, so we are open from 8 a.m. to 6 p.m.", **asked) == "date"


@pytest.mark.parametrize(
    ("code", "agent"), [("en", "clinic"), ("vi", "clinic"), ("en", "hotel"), ("ru", "hotel"), ("zh", "hotel")]
)
def test_a_template_that_takes_note_affirms_no_question_before(code: str, agent: str) -> None:
    asked = {
        "en": "Is there a sauna on Sunday? I'd take that.",
        "vi": "Chủ nhật còn chỗ không? Tôi lấy đó.",
        "ru": "Есть место в воскресенье? Я бы взял.",
        "zh": "星期天有空位吗？我要了。",
    }[code]
    yes = {"en": "Of course.", "vi": "Dạ có.", "ru": "Да, есть.", "zh": "有的。"}[code]
    assert rule(Templates(code).say("fine"), agent, code, caller=(asked,)) == ""
    assert rule(yes, agent, code, caller=(asked,)).startswith("affirmed_")


def test_a_model_that_takes_note_of_a_question_may_mean_yes() -> None:
    asked = {"caller": ("Is there a sauna? I'd love one.",)}
    assert rule("All right.", is_written_by_model=True, **asked) == "affirmed_thing"
    assert rule("All right.", caller=("Is there a sauna?",)) == "affirmed_thing"


def test_an_apology_is_not_said_twice() -> None:
    honest = "I'm sorry, I don't know that."
    assert behind_opening(honest, "I'm sorry,") == "I don't know that."
    assert behind_opening(honest, "Sure, ") == honest
    assert behind_opening("Dạ, điều đó em không rõ ạ.", "Dạ, ") == "điều đó em không rõ ạ."
    assert behind_opening("I don't know that.", "I'm sorry,") == "I don't know that."


def test_an_appointment_that_was_looked_up_is_read_back_whatever_the_caller_said_of_it() -> None:
    shown = ('{"appointments": ["2026-12-03T11:30"]}',)
    said = ("Take my appointment off, and can you fit me in on Monday?",)
    moment = "Thursday, December 3 at 11:30 a.m. Shall I cancel it?"
    given = {"caller": said, "reply": "You'd like to cancel your appointment,", "tools": shown}
    assert rule(moment, **given) == ""
    assert rule(moment.replace("11:30 a.m.", "4 p.m."), **given) == "hours"
