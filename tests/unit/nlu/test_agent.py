"""Replies of the agent to a turn."""

import pytest

from services.nlu.agent.courtesies import FixedReply, courtesy, speakable_languages
from services.nlu.agent.ending import Ending, agent_ends, caller_ends, offer, was_offered
from services.nlu.agent.language import find_language, reply_language
from services.nlu.agent.phrases import expected_after
from services.nlu.agent.profile import AgentProfile, PromptKind, read_agents
from services.nlu.agent.prompt_agent import PromptAgent, opening
from services.nlu.engine import Message, Role, open_engine
from services.nlu.history import Entry, ToolCall
from services.nlu.inputs import Open, Silence, Text, TurnInput
from services.nlu.outputs import ExpectedKind
from services.nlu.settings import NluSettings
from tests.load.farewells import read_lines


@pytest.fixture(scope="module")
def clinic() -> AgentProfile:
    return read_agents(NluSettings().agents_dir)["clinic"]


def reply_to(
    clinic: AgentProfile, said: TurnInput, history: list[Entry], language_code: str = "en"
) -> FixedReply | None:
    return courtesy(clinic, said, history, language_code=language_code)


def test_it_greets_with_its_own_words(clinic: AgentProfile) -> None:
    assert reply_to(clinic, Open(), [], "vi") == FixedReply(clinic.personas["vi"].greeting)


def test_a_prompt_begins_with_the_persona_and_its_examples(clinic: AgentProfile) -> None:
    first, *examples = opening(clinic, "en")
    assert first.role is Role.SYSTEM
    assert len(examples) == 2 * len(clinic.personas["en"].examples)


def test_a_goodbye_is_answered_and_ends_the_call(clinic: AgentProfile) -> None:
    assert reply_to(clinic, Text("Thank you, bye."), []) == FixedReply(clinic.personas["en"].farewell, ends_call=True)


def test_a_no_ends_the_call_only_after_the_agent_offered_more(clinic: AgentProfile) -> None:
    offered = Entry(1, "It is 0912.", "You are booked. Is there anything else?")
    asked = Entry(1, "How much?", "Fifty dollars. Would you like an appointment?")
    assert reply_to(clinic, Text("No, thanks."), [offered]) is not None
    assert reply_to(clinic, Text("No, thanks."), [asked]) is None


def test_silence_is_asked_about_twice_then_the_call_ends(clinic: AgentProfile) -> None:
    asked = FixedReply(clinic.prompt(PromptKind.STILL_THERE, "en"))
    given_up = FixedReply(clinic.prompt(PromptKind.SILENCE_GOODBYE, "en"), ends_call=True)
    assert [reply_to(clinic, Silence(8000, count), []) for count in (1, 2, 3)] == [asked, asked, given_up]


def test_instructions_stand_in_place_of_the_agents_own(clinic: AgentProfile) -> None:
    assert opening(clinic, "en", instructions="You are a parrot.") == (Message(Role.SYSTEM, "You are a parrot."),)


def test_the_model_sees_tools_and_failed_acts_but_not_acts_that_went_well(clinic: AgentProfile) -> None:
    calls = (
        ToolCall("1.1", "current_time", "{}", '{"time": "10:00"}'),
        ToolCall("1.act-1", "hang_up", "{}", '{"outcome": "done"}'),
        ToolCall("1.act-2", "transfer", "{}", '{"outcome": "failed"}'),
    )
    settings = NluSettings.model_validate({"engine": "script"})
    agent = PromptAgent(clinic, open_engine(settings), settings)
    shown = agent.messages([Entry(1, "Hi.", "Hello.", tool_calls=calls)], language_code="en")
    assert [message.text for message in shown if message.role is Role.TOOL] == [
        'current_time({}): {"time": "10:00"}',
        'transfer({}): {"outcome": "failed"}',
    ]


def test_languages_are_those_of_the_config_that_the_agent_speaks(clinic: AgentProfile) -> None:
    assert speakable_languages(clinic, ("vi-VN", "ja", "en-GB")) == ("vi", "en")


def test_every_prompt_is_there_in_four_languages(clinic: AgentProfile) -> None:
    assert all(set(clinic.prompts[kind]) == {"en", "vi", "ru", "zh"} for kind in PromptKind)


@pytest.mark.parametrize(
    ("text", "detected", "current", "language"),
    [
        ("Where is the clinic?", "en", "vi", "en"),
        ("Phòng khám ở đâu?", "vi", "en", "vi"),
        ("Phòng khám ở đâu?", "", "en", "vi"),
        ("Phòng khám ở đâu?", "en", "vi", "vi"),
        ("OK", "en", "vi", "vi"),
        ("Hello there", "vi", "en", "en"),
        ("Où est la clinique?", "fr", "en", "en"),
        ("Где вы?", "ru", "en", "en"),
        ("Cleaning, please.", "vi-VN", "en", "en"),
    ],
)
def test_the_language_changes_only_when_the_letters_agree(
    text: str, detected: str, current: str, language: str
) -> None:
    assert reply_language(text, detected=detected, current=current, spoken=("en", "vi")) == language


def test_a_tag_finds_the_nearest_language() -> None:
    assert find_language("en-GB", ("en-US", "en-GB")) == "en-GB"
    assert find_language("en", ("vi", "en-US")) == "en-US"
    assert find_language("fr", ("vi", "en")) is None


@pytest.mark.parametrize(
    ("language", "text", "last_heard", "ends"),
    [
        ("en", "Thank you, goodbye.", "", True),
        ("en", "Bye. Oh wait, are you open on Sunday?", "", False),
        ("en", "I want to see you on Tuesday.", "", False),
        ("en", "I'll stop by on Friday.", "", False),
        ("en", "No, that's all. Thank you very much.", "Is there anything else?", True),
        ("en", "Thanks a lot!", "Is there anything else?", True),
        ("en", "Um.", "Is there anything else?", False),
        ("en", "Yes.", "Is there anything else?", False),
        ("en", "No.", "Would Tuesday suit you?", False),
        ("vi", "Dạ không, cảm ơn em nhé.", "Anh chị cần giúp gì thêm không ạ?", True),
        ("vi", "Chào em, phòng khám mở cửa mấy giờ", "", False),
        ("vi", "Tạm biệt.", "", True),
        ("en", "Please don't say goodbye yet.", "", False),
        ("en", "Not yet. Goodbye.", "", True),
        ("vi", "Đừng cúp máy nhé.", "", False),
        ("vi", "Chị không muốn kết thúc cuộc gọi.", "", False),
        ("vi", "Dạ không, tạm biệt.", "", True),
        ("ru", "Не говорите до свидания.", "", False),
        ("ru", "Не надо, до свидания.", "", True),
        ("zh", "别挂了。", "", False),
        ("zh", "不用，再见。", "", True),
        ("ru", "Нет, спасибо, это всё.", "Могу я помочь чем-нибудь ещё?", True),
        ("ru", "До свидания!", "", True),
        ("zh", "没有了，谢谢。", "还有什么可以帮您？", True),
        ("zh", "我想预约。", "还有什么可以帮您？", False),
        ("en", "No.", "Does anything else hurt?", False),
        ("en", "No.", "Do you have any other insurance?", False),
        ("vi", "Không.", "Anh còn đau chỗ nào khác không ạ?", False),
        ("ru", "Нет, не всё.", "Что-нибудь ещё?", False),
        ("en", "No, that's not everything.", "Is there anything else?", False),
        ("en", "Have a splendid day!", "You are booked.", True),
        ("vi", "Anh hẹn thứ ba.", "", False),
        ("en", "I'm driving.", "Where are you?", False),
        ("en", "Sorry, I'll have to call you back. Goodbye.", "May I have your name?", True),
    ],
)
def test_the_call_ends_when_the_caller_says_so(language: str, text: str, last_heard: str, ends: bool) -> None:
    found = caller_ends(text, last_heard=last_heard, language_code=language)
    assert (found is Ending.FAREWELL) is ends


@pytest.mark.parametrize("part", ["dev", "test", "unseen", "unseen_2", "unseen_3", "unseen_4"])
def test_no_labelled_line_ends_a_call_wrongly_and_nine_tenths_of_the_farewells_are_found(part: str) -> None:
    lines = read_lines(part)
    assert [line.text for line in lines if line.found is Ending.FAREWELL and line.label is not Ending.FAREWELL] == []
    farewells = [line for line in lines if line.label is Ending.FAREWELL]
    assert sum(line.found is Ending.FAREWELL for line in farewells) >= 0.9 * len(farewells)


@pytest.mark.parametrize(
    ("confidence", "ending"), [(None, Ending.FAREWELL), (0.9, Ending.FAREWELL), (0.3, Ending.IN_DOUBT)]
)
def test_a_goodbye_of_low_confidence_ends_no_call(confidence: float | None, ending: Ending) -> None:
    assert caller_ends("Goodbye.", last_heard="", language_code="en", confidence=confidence) is ending


@pytest.mark.parametrize("language", ["en", "vi", "ru", "zh"])
def test_the_question_asked_in_doubt_is_known_for_an_offer(language: str) -> None:
    assert was_offered(offer(language), language_code=language)


def test_in_doubt_the_agent_asks_once_and_does_not_hang_up(clinic: AgentProfile) -> None:
    booked = Entry(1, "Wednesday.", "You are booked for Wednesday.")
    assert reply_to(clinic, Text("I think that's all."), [booked]) == FixedReply(offer("en"))
    still = Entry(2, "I think that's all.", offer("en"))
    assert reply_to(clinic, Text("Goodbye.", confidence=0.2), [booked, still]) is None


def test_a_greeting_that_may_be_a_goodbye_is_none_as_the_first_words_of_a_call(clinic: AgentProfile) -> None:
    greeted = Entry(1, "", "Nha khoa Bình Minh xin nghe.")
    assert reply_to(clinic, Text("Chào em."), [greeted], "vi") is None


def test_a_model_says_goodbye_only_with_the_words_for_it() -> None:
    assert agent_ends("Thank you for calling. Goodbye!", language_code="en")
    assert agent_ends("Goodbye, Mr Lee.", language_code="en")
    assert not agent_ends("You can buy it by Friday.", language_code="en")
    assert not agent_ends("Please don't say goodbye yet.", language_code="en")
    assert not agent_ends("See you on Tuesday at nine. Is that right?", language_code="en")


@pytest.mark.parametrize(
    ("language", "reply", "kind"),
    [
        ("en", "Sure. What is your telephone number?", ExpectedKind.DIGITS),
        ("en", "Please tell me your phone number.", ExpectedKind.DIGITS),
        ("en", "Our phone number is on the door.", ExpectedKind.OPEN),
        ("en", "How do you spell your name?", ExpectedKind.SPELLING),
        ("en", "Wednesday at three. Is that right?", ExpectedKind.YES_NO),
        ("en", "How can I help you?", ExpectedKind.ANSWER),
        ("vi", "Dạ, chị cho em xin số điện thoại ạ?", ExpectedKind.DIGITS),
        ("vi", "Anh chị có muốn đặt hẹn không ạ?", ExpectedKind.YES_NO),
        ("zh", "要预约吗？", ExpectedKind.YES_NO),
        ("ru", "Назовите, пожалуйста, номер телефона.", ExpectedKind.DIGITS),
    ],
)
def test_the_last_question_says_what_to_expect(language: str, reply: str, kind: ExpectedKind) -> None:
    assert expected_after(reply, language_code=language) is kind
