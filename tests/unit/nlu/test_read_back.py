"""A model's deed runs only for what the caller has agreed to: the judge, with texts of its own."""

import json
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.nlu.agent.confirmation import Confirmation
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.agent.read_back import unconfirmed
from services.nlu.history import Entry, ToolCall
from services.nlu.inputs import Dtmf, Silence, Text, TurnInput
from services.nlu.settings import NluSettings

NOW = datetime(2026, 11, 29, 9, 0, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))  # a Sunday
BOOKING = {"starts": "2026-12-01T10:00", "service": "cleaning", "name": "Anna Bell", "phone": "0912345678"}
READ_BACK = (
    "That is Tuesday, the first of December, at ten in the morning, a cleaning for Anna Bell, 0912 345 678. "
    "Shall I book it?"
)


@pytest.fixture(scope="module")
def clinic() -> AgentProfile:
    return read_agents(NluSettings().agents_dir)["clinic"]


def why_not(
    clinic: AgentProfile,
    *entries: Entry,
    said: TurnInput | str = "Yes, please.",
    arguments: Mapping[str, object] = BOOKING,
    tool: str = "clinic_book",
    schema: str = "{}",
    languages: tuple[str, ...] = ("en-US",),
) -> str:
    given = Confirmation(Text(said) if isinstance(said, str) else said, entries, languages, NOW)
    return unconfirmed(tool, arguments, schema, given, clinic)


def asked(text: str, *, unheard_text: str = "", gateway_text: str = "") -> Entry:
    return Entry(4, "a cleaning please", text, gateway_text, unheard_text=unheard_text)


@pytest.mark.parametrize(
    "text",
    [
        READ_BACK,
        "Shall I book a cleaning for Anna Bell, Tuesday the first of December at 10 a.m., 0 9 1 2, 3 4 5, 6 7 8?",
        "So a cleaning, Tuesday at ten o'clock, Anna Bell, +84 912 345 678. Is that right?",
        "Anna Bell, oh nine one two, three four five, six seven eight, cleaning on December 1st at 10:00, correct?",
        "Let me see. A cleaning the day after tomorrow at ten, Anna Bell, 0912345678, shall I go ahead?",
    ],
)
@pytest.mark.parametrize("yes", ["Yes, please.", "yeah", "Okay, go ahead.", "That's right", "Yes, book it", "Sure."])
def test_a_yes_to_all_that_was_read_back_is_a_confirmation(clinic: AgentProfile, text: str, yes: str) -> None:
    assert why_not(clinic, asked(text), said=yes) == ""


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        (
            "Em đặt lịch lấy cao răng 10 giờ sáng thứ ba ngày 1 tháng 12 cho chị Lan, số 0912 345 678, đúng không ạ?",
            "Dạ đúng rồi em.",
        ),
        (
            "Mười giờ sáng thứ ba, mùng một tháng mười hai, lấy cao răng, tên Lan, không chín một hai, ba bốn năm, "
            "sáu bảy tám. Anh chị có muốn em đặt không ạ?",
            "ừ",
        ),
    ],
)
def test_vietnamese(clinic: AgentProfile, text: str, yes: str) -> None:
    arguments = {**BOOKING, "name": "Lan"}
    assert why_not(clinic, asked(text), said=yes, arguments=arguments, languages=("vi-VN", "en-US")) == ""
    assert why_not(clinic, asked(text), said=yes, arguments={**arguments, "name": "Minh"}, languages=("vi-VN",)) != ""


@pytest.mark.parametrize(
    "changed",
    [
        {"starts": "2026-12-01T11:00"},
        {"starts": "2026-12-08T10:00"},
        {"starts": "2026-12-02T10:00"},
        {"service": "whitening"},
        {"name": "Anna Ball"},
        {"phone": "0912345679"},
        {"phone": "12345678"},
        {"note": "she is afraid of needles"},
        {"n_people": 3},
    ],
)
def test_an_argument_that_was_not_read_back_is_none(clinic: AgentProfile, changed: Mapping[str, object]) -> None:
    why = why_not(clinic, asked(READ_BACK), arguments={**BOOKING, **changed})
    assert f"{next(iter(changed))}={next(iter(changed.values()))}" in why or "other days" in why
    assert "Read the arguments back" in why


@pytest.mark.parametrize(
    "said",
    [
        "No.", "Yes, but on Friday.", "Yes, at eleven.", "Yes? What was the price?", "Yes, for my wife.", "What?",
        "Anna.", "Yes. No, wait.", "Yes, and a filling.", "Don't book it.", "Is that in the morning?", "",
        "Yes, I'll think about it.", "Hello?", "Can you book it?", "sure, but later", "yes another time",
        "Yes, hold on.", Dtmf("1"), Silence(3000, 1), Text("Yes.", confidence=0.2),
    ],
)  # fmt: skip
def test_what_is_not_all_agreement_is_no_confirmation(clinic: AgentProfile, said: TurnInput | str) -> None:
    assert why_not(clinic, asked(READ_BACK), said=said) != ""


def test_a_question_that_was_not_heard_to_its_end_is_none(clinic: AgentProfile) -> None:
    at = READ_BACK.index(" Shall")
    assert why_not(clinic, asked(READ_BACK[:at], unheard_text=READ_BACK[at:])) != ""
    assert why_not(clinic, asked(READ_BACK[:-4], unheard_text=READ_BACK[-4:])) != ""
    assert why_not(clinic, asked(READ_BACK, unheard_text=" ")) == ""
    assert why_not(clinic, asked(READ_BACK[:-1], unheard_text="?")) == "", "a mark is not heard"


def test_only_what_was_heard_last_counts(clinic: AgentProfile) -> None:
    assert why_not(clinic) != ""
    assert why_not(clinic, asked(READ_BACK, gateway_text="Are you still there?")) != ""
    assert why_not(clinic, asked(READ_BACK), Entry(5, "how much is it", "It is 60 dollars.")) != ""
    assert why_not(clinic, asked(READ_BACK), Entry(5, "Wednesday instead", "")) != ""
    assert why_not(clinic, asked(READ_BACK.replace("?", ". I will book it."))) != ""


@pytest.mark.parametrize(
    "text",
    [
        "Tuesday at ten or Wednesday at eleven are free for a cleaning, Anna Bell, 0912 345 678. Shall I book it?",
        "A cleaning on Tuesday at ten, Anna Bell, 0912 345 678. Is there anything else?",
        "A cleaning on Tuesday at ten, Anna Bell, 0912 345 678. Would you like to know the price?",
        "A cleaning on Tuesday at ten, Anna Bell, 0912 345 678. Shall I cancel it?",
        "A cleaning on Tuesday at ten, Anna Bell, 0912 345 678. Who is your dentist?",
        "Shall I book it?",
        "Tuesday at ten. Is that right?",
    ],
)
def test_another_question_is_none(clinic: AgentProfile, text: str) -> None:
    assert why_not(clinic, asked(text)) != ""


def test_an_id_is_read_back_by_what_it_stands_for(clinic: AgentProfile) -> None:
    result = {
        "events": [
            {"event_id": "e-77", "starts": "2026-12-01T10:00"},
            {"event_id": "e-78", "starts": "2026-12-03T09:00"},
        ]
    }
    looked_up = Entry(
        3, "my event", "One moment.", tool_calls=(ToolCall("3.1", "calendar_find", "{}", json.dumps(result)),)
    )
    question = asked("Shall I cancel your event on Tuesday at ten?")
    assert why_not(clinic, looked_up, question, arguments={"event_id": "e-77"}, tool="calendar_cancel") == ""
    assert why_not(clinic, looked_up, question, arguments={"event_id": "e-78"}, tool="calendar_cancel") != ""
    assert why_not(clinic, question, arguments={"event_id": "e-77"}, tool="calendar_cancel") != ""


def test_both_times_of_a_move_and_the_end_of_an_event(clinic: AgentProfile) -> None:
    moved = {"starts": "2026-12-01T10:00", "new_starts": "2026-12-03T09:00", "name": "Anna Bell", "phone": "0912345678"}
    text = "Shall I move Anna Bell, 0912 345 678, from Tuesday at ten to Thursday at nine?"
    assert why_not(clinic, asked(text), arguments=moved, tool="clinic_move") == ""
    assert why_not(clinic, asked(text), arguments={**moved, "new_starts": "2026-12-03T10:00"}, tool="clinic_move") != ""
    event = {"title": "crown", "starts": "2026-12-01T10:00:00+07:00", "ends": "2026-12-01T10:30:00+07:00"}
    lasting = "A crown on Tuesday the first at ten, for half an hour. Is that right?"
    assert why_not(clinic, asked(lasting), arguments=event, tool="calendar_book") == ""
    assert why_not(clinic, asked(lasting), arguments={**event, "ends": "2026-12-01T11:30:00+07:00"}) != ""


def test_addresses_codes_and_what_a_schema_says_anyway(clinic: AgentProfile) -> None:
    mail = {"to": "anna.bell@gmail.com", "code": "AB1234", "zone": "Asia/Ho_Chi_Minh", "kind": "note"}
    schema = json.dumps({"properties": {"kind": {"const": "note"}}})
    text = "I send it to anna dot bell at gmail dot com, code A B 1 2 3 4. Is that right?"
    assert why_not(clinic, asked(text), arguments=mail, tool="message_email", schema=schema) == ""
    assert why_not(clinic, asked(text), arguments=mail, tool="message_email") != ""
    assert why_not(clinic, asked(text), arguments={"to": "anna.ball@gmail.com"}, tool="message_email") != ""
