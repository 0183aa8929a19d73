"""The agent `graph`: what it makes of turns, from the clinic's facts, with and without a sure understanding."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import date, datetime

import pytest

from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.graph.own import OwnGraphAgent
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.interface import Act, AgentTurn, AwaitCommit, Call, Remember, Say
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.agent.understanding import Guess
from services.nlu.engine import open_engine
from services.nlu.inputs import Dtmf, Text, TurnInput
from services.nlu.outputs import SwitchLanguage, Transfer
from services.nlu.settings import NluSettings
from services.runtime.errors import TurnFailed
from tests.conformance import survey_graph
from tests.conformance.servers import ROOT

SETTINGS = NluSettings.model_validate({"engine": "script"})


class Told:
    """Understands as the test says: the first of `kinds` whose words stand in the text."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self._kinds = kinds

    async def load(self) -> None: ...

    async def understand(self, text: str, language_code: str) -> tuple[Guess, ...]:
        kind = next((kind for words, kind in self._kinds.items() if words in text.lower()), "unknown")
        return Guess(kind, 0.9), Guess("chat", 0.1)


KINDS = {
    "how much": "price",
    "cost": "price",
    "how long": "duration",
    "open": "hours",
    "where": "address",
    "who": "who",
    "do you do": "offered",
    "book": "book",
    "appointment": "book",
    "free": "free",
    "person": "handover",
    "speak": "language",
    "repeat": "repeat",
    "that's right": "yes",
    "no": "no",
    "wrong": "no",
}


@pytest.fixture(scope="module")
def clinic() -> AgentProfile:
    return read_agents(SETTINGS.agents_dir)["clinic"]


def agent_of(profile: AgentProfile, at: str = "2026-11-30T10:30") -> GraphAgent:
    now = datetime.fromisoformat(at).replace(tzinfo=profile.zone)
    return GraphAgent(profile, open_engine(SETTINGS), SETTINGS, clock=lambda: now, understanding=Told(KINDS))


class Talk:
    """A call with an agent, without a stream."""

    def __init__(self, agent: GraphAgent | OwnGraphAgent, language: str = "en") -> None:
        self._agent, self._language = agent, language
        self.state: Mapping[str, object] = {}
        self.acts: list[object] = []
        self.turn_id = 0

    async def say(self, said: str | TurnInput, *, commit: Callable[[], bool] = lambda: True) -> str:
        """One turn; as a draft it is committed when the agent waits for that, if `commit` says so."""
        self.turn_id += 1
        turn_input = Text(said) if isinstance(said, str) else said
        committed, text = asyncio.Event(), ""
        turn = AgentTurn(Call("call", ("en", "vi")), self.turn_id, turn_input, self._language, self.state)
        async for step in self._agent.respond(turn, [], committed=committed):
            match step:
                case Say():
                    text += step.text
                case Remember(state):
                    self.state = state
                case Act(act):
                    self.acts.append(act)
                case AwaitCommit() if not commit():
                    break
                case AwaitCommit():
                    committed.set()
        return text.strip()


class Guessed:
    """Understands everything as one kind, as surely as the test says."""

    def __init__(self, kind: str, score: float) -> None:
        self._guess = Guess(kind, score)

    async def load(self) -> None: ...

    async def understand(self, text: str, language_code: str) -> tuple[Guess, ...]:
        return self._guess, Guess("chat", self._guess.score - 0.2)


@pytest.mark.parametrize(("confidence", "is_asked_again"), [(None, False), (0.9, False), (0.5, True), (0.2, True)])
async def test_what_was_hardly_heard_and_is_hardly_understood_is_asked_again(
    clinic: AgentProfile, confidence: float | None, is_asked_again: bool
) -> None:
    agent = GraphAgent(clinic, open_engine(SETTINGS), SETTINGS, understanding=Guessed("private", 0.47))
    reply = await Talk(agent).say(Text("when or the mowing", confidence))
    assert (reply == "I'm sorry, I didn't hear that well. Could you say it again, please?") is is_asked_again


async def test_clear_words_of_low_confidence_are_answered(clinic: AgentProfile) -> None:
    agent = GraphAgent(clinic, open_engine(SETTINGS), SETTINGS, understanding=Guessed("address", 0.95))
    assert (await Talk(agent).say(Text("where are you", 0.3))).startswith("We are at 25")


async def test_what_was_said_instead_counts(clinic: AgentProfile) -> None:
    (reply,) = await answers(clinic, "How much is a filling, no sorry, I mean a crown?")
    assert reply == "A crown costs 250 dollars."


async def test_the_price_behind_a_need_is_that_of_what_is_needed(clinic: AgentProfile) -> None:
    (reply,) = await answers(clinic, "My old bridge broke, so a filling it must be. How much would that come to?")
    assert reply.endswith("A filling costs 50 dollars.")


async def test_no_sentence_is_said_twice_in_one_reply(clinic: AgentProfile) -> None:
    replies = await answers(
        clinic, "How much is a crown? Sorry, how much was a crown?", "Does it rain? I left my umbrella."
    )
    assert replies == ["A crown costs 250 dollars.", "I'm sorry, I don't know that. Is there anything else?"]


async def test_the_day_after_the_one_spoken_of(clinic: AgentProfile) -> None:
    replies = await answers(clinic, "Are you open on Friday?", "And the day after that?", "What about the day before?")
    assert replies[1:] == [
        "On Saturday, we are open from 9 a.m. to 1 p.m.",
        "On Friday, we are open from 8 a.m. to 6 p.m.",
    ]


async def test_sooner_than_a_day_is_not_that_day(clinic: AgentProfile) -> None:
    replies = await answers(
        clinic, "Have you anything free sooner than Tuesday?", "Is anything free later than Tuesday?"
    )
    assert replies[0].startswith("I'm sorry, I have no such free time.")
    assert replies[1] == "Yes, Wednesday at 3 p.m. and Friday at 9 a.m. is free as far as I know."


async def test_this_wednesday_on_a_sunday_is_the_one_to_come(clinic: AgentProfile) -> None:
    (reply,) = await answers(clinic, "What have you free this Wednesday?", at="2026-11-29T10:30")
    assert reply == "Yes, Wednesday at 3 p.m. is free as far as I know."


async def test_a_price_by_the_night_is_multiplied_by_the_nights() -> None:
    hotel = read_agents(SETTINGS.agents_dir)["hotel"]
    (reply,) = await answers(hotel, "How much is a double room for three nights?")
    assert reply == "A double room costs 60 dollars a night. Together that is 180 dollars."


async def test_a_day_with_one_free_time_is_offered_and_not_put_into_the_callers_mouth(clinic: AgentProfile) -> None:
    first, second = await answers(clinic, "I'd like an appointment on Tuesday at 10 a.m.", "Anna Smith")
    assert first.endswith("You'd like Tuesday at 10 a.m. May I have your name, please?")
    assert second.startswith("Thank you, Anna Smith.")
    (other,) = await answers(clinic, "I'd like an appointment on Tuesday.")
    assert other.endswith("Tuesday at 10 a.m. is free as far as I know. May I have your name, please?")


async def answers(profile: AgentProfile, *said: str, at: str = "2026-11-30T10:30") -> list[str]:
    talk = Talk(agent_of(profile, at))
    return [await talk.say(one) for one in said]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("How much is a crown?", "A crown costs 250 dollars."),
        ("How much is an implant?", "I'm sorry, I don't know the price of an implant."),
        (
            "How much is a filling and a cleaning?",
            "A filling costs 50 dollars. A cleaning costs 35 dollars. Together that is 85 dollars.",
        ),
        (
            "How much are two fillings and a cleaning together?",
            "A filling costs 50 dollars. A cleaning costs 35 dollars. Together that is 135 dollars.",
        ),
        ("How much are three crowns altogether?", "A crown costs 250 dollars. Together that is 750 dollars."),
        (
            "How much are a filling and an implant together?",
            "A filling costs 50 dollars. I'm sorry, I don't know the price of an implant.",
        ),
        ("How long does a cleaning take?", "A cleaning takes 30 minutes."),
        ("How long is a crown?", "I'm sorry, I don't know how long a crown takes."),
        ("Are you open on Sunday?", "I'm sorry, we are closed on Sunday."),
        ("Are you open on Friday?", "On Friday, we are open from 8 a.m. to 6 p.m."),
        ("Are you open on Saturday at 11 a.m.?", "Yes, on Saturday we are open from 9 a.m. to 1 p.m."),
        ("Are you open on December 25?", "I'm sorry, we are closed on Christmas Day."),
        ("Are you open on February 30?", "I'm sorry, there is no such date."),
        ("Are you open on Saturday afternoon?", "On Saturday, we are open from 9 a.m. to 1 p.m."),
        ("Are you open on Saturday morning?", "Yes, on Saturday we are open from 9 a.m. to 1 p.m."),
        ("I come for the crown on February 30", "I'm sorry, there is no such date."),
        ("Are you open now?", "Yes, we are open now, until 6 p.m."),
        ("Who does implants?", "For implant it is Doctor David Lee."),
        ("Can I speak to a person?", "One moment, please, I'll put you through."),
    ],
)
async def test_answers_are_made_of_the_facts(clinic: AgentProfile, said: str, answer: str) -> None:
    assert await answers(clinic, said) == [answer]


async def test_of_a_thing_that_no_fact_covers_no_price_is_said(clinic: AgentProfile) -> None:
    (answer,) = await answers(clinic, "How much is a root canal?")
    assert answer.startswith("I'm sorry, I don't know the price of that.")
    assert not any(c.isdigit() for c in answer)


async def test_a_thing_of_the_clinics_with_a_strange_word_beside_it_is_another_thing(clinic: AgentProfile) -> None:
    (answer,) = await answers(clinic, "How much is a platinum crown?")
    assert answer == "I don't know exactly that. What I do know is this. A crown costs 250 dollars."


@pytest.mark.parametrize(
    "said", ["How much for removing a crown?", "How much is a sealing?", "How much is a crown for a dog?"]
)
async def test_no_price_is_given_as_that_of_another_thing(clinic: AgentProfile, said: str) -> None:
    (answer,) = await answers(clinic, said)
    assert "don't know" in answer


async def test_a_name_that_is_nearly_heard_right_is_found(clinic: AgentProfile) -> None:
    assert await answers(clinic, "How much is whitning?") == ["A whitening costs 120 dollars."]


async def test_follow_ups_are_about_what_was_spoken_of(clinic: AgentProfile) -> None:
    said = (
        "How much is a filling?",
        "And a crown?",
        "How long does it take?",
        "Are you open on Friday?",
        "And on Sunday?",
    )
    assert await answers(clinic, *said) == [
        "A filling costs 50 dollars.",
        "A crown costs 250 dollars.",
        "I'm sorry, I don't know how long a crown takes.",
        "On Friday, we are open from 8 a.m. to 6 p.m.",
        "I'm sorry, we are closed on Sunday.",
    ]


async def test_two_questions_in_one_sentence_are_both_answered(clinic: AgentProfile) -> None:
    (answer,) = await answers(clinic, "How much is a check-up and where are you?")
    assert answer == (
        "A check-up costs 20 dollars. We are at 25 Nguyen Hue Street, District 1, beside the post office."
    )


async def test_a_wish_is_taken_down_and_nothing_is_said_to_be_booked(clinic: AgentProfile) -> None:
    said = (
        "I want to book a cleaning.",
        "Wednesday, please.",
        "My name is Anna.",
        "It's 0912 345 678.",
        "That's right.",
    )
    first, second, third, fourth, last = await answers(clinic, *said)
    assert "I can't book" in first
    assert second == "Wednesday at 3 p.m. is free as far as I know. May I have your name, please?"
    assert third == "Thank you, Anna. What is your telephone number?"
    assert fourth == "You'd like cleaning, Wednesday at 3 p.m., Anna, 0912 345 678. Is that right?"
    assert "Nothing is fixed yet" in last


async def test_a_time_that_comes_where_a_name_was_asked_for_is_no_name(clinic: AgentProfile) -> None:
    *_, third, fourth = await answers(clinic, "I want to book a cleaning.", "Tuesday", "Ten o'clock", "Tom Baker")
    assert third == "You'd like Tuesday at 10 a.m. May I have your name, please?"
    assert fourth == "Thank you, Tom Baker. What is your telephone number?"


async def test_a_time_that_is_not_free_is_not_noted_in_place_of_one_that_is(clinic: AgentProfile) -> None:
    *_, third = await answers(clinic, "I want to book a cleaning.", "Tuesday", "Four o'clock")
    assert third.startswith("I'm sorry, I have no such free time.")


@pytest.mark.parametrize("said", ["Wait, don't cancel it.", "Never mind.", "I'll call you back."])
async def test_a_wish_that_is_taken_back_is_dropped(clinic: AgentProfile, said: str) -> None:
    _, answer, after = await answers(clinic, "Please book me in.", said, "How much is a crown?")
    assert answer == "All right, I'll leave it. Is there anything else?"
    assert after == "A crown costs 250 dollars."


async def test_what_a_wish_is_for_may_come_late_and_is_not_a_new_wish(clinic: AgentProfile) -> None:
    _, second, third, *_, last = await answers(
        clinic,
        "I want to book.",
        "Book a cleaning.",
        "Wednesday",
        "Anna Bell",
        "0912 345 678",
    )
    assert second.startswith("All right. Which of these suits you")
    assert third == "Wednesday at 3 p.m. is free as far as I know. May I have your name, please?"
    assert last.startswith("You'd like cleaning, Wednesday at 3 p.m., Anna Bell")


async def test_what_does_not_answer_an_open_question_has_it_asked_again(clinic: AgentProfile) -> None:
    *_, unknown, yes = await answers(
        clinic, "I want to book a cleaning for Wednesday.", "Anna Bell", "Blue as the sky", "That's right."
    )
    assert unknown == "I'm sorry, I didn't get that. What is your telephone number?"
    assert yes == "Let's take it in parts. What are the first 4?"


async def test_a_thing_is_found_by_its_name_in_the_other_language(clinic: AgentProfile) -> None:
    assert await answers(clinic, "How much is cạo vôi răng?") == ["A cleaning costs 35 dollars."]


async def test_a_doctor_whose_name_is_tomorrow_too_is_no_day(clinic: AgentProfile) -> None:
    finder = SlotFinder(clinic.facts, "vi")
    assert not finder.find("cho xin số của bác sĩ Mai", datetime(2026, 11, 30)).when
    assert finder.find("mai gặp bác sĩ Mai", datetime(2026, 11, 30)).when.date == date(2026, 12, 1)


async def test_a_sentence_is_not_cut_inside_a_name(clinic: AgentProfile) -> None:
    (answer,) = await answers(clinic, "How much is scale and polish and are you open on Saturday?")
    assert answer == "A cleaning costs 35 dollars. On Saturday, we are open from 9 a.m. to 1 p.m."


async def test_a_price_that_is_not_known_is_not_announced_as_known(clinic: AgentProfile) -> None:
    assert await answers(clinic, "How much is an implant in euros?") == [
        "I'm sorry, I don't know the price of an implant."
    ]


async def test_a_question_in_between_is_answered_and_the_open_one_asked_again(clinic: AgentProfile) -> None:
    _, answer = await answers(clinic, "I want to book a cleaning for Wednesday.", "How much is a crown?")
    assert answer == "A crown costs 250 dollars. May I have your name, please?"


@pytest.mark.parametrize(
    ("at", "said", "answer"),
    [  # the clinic's clock: 23:30 UTC of a Monday is Tuesday morning in Ho Chi Minh City
        ("2026-11-30T23:30+00:00", "Are you open tomorrow?", "On Wednesday, we are open from 8 a.m. to 6 p.m."),
        (
            "2026-11-30T23:30+00:00",
            "Are you open next Sunday?",
            "closed on Sunday, December 13. The next time we open is ",
        ),
        ("2026-12-20T10:00+07:00", "Are you open next Friday?", "we are closed on Christmas Day."),
        ("2026-12-31T23:30+07:00", "Are you open tomorrow?", "we are closed on New Year's Day."),
        ("2028-02-28T10:00+07:00", "Are you open tomorrow?", "On Tuesday, we are open from 8 a.m. to 6 p.m."),
        ("2028-02-01T10:00+07:00", "Are you open on February 29?", "On Tuesday, February 29, we are open from 8 a.m."),
        ("2026-02-01T10:00+07:00", "Are you open on February 30?", "there is no such date."),
        (
            "2026-12-22T10:00+07:00",
            "Are you open next week?",
            "Saturday from 9 a.m. to 1 p.m. I'm sorry, we are closed on New",
        ),
        ("2026-11-30T10:00+07:00", "Is the 3rd of December free?", "I have no such free time."),
        ("2026-11-30T10:00+07:00", "Is next Tuesday at ten free?", "Yes, Tuesday, December 8 at 10 a.m. is free"),
        ("2026-12-01T11:00+07:00", "Is today at ten free?", "That day or time is past."),
    ],
)
async def test_dates_are_reckoned_by_the_tenants_clock(clinic: AgentProfile, at: str, said: str, answer: str) -> None:
    now = datetime.fromisoformat(at).astimezone(clinic.zone)
    agent = GraphAgent(clinic, open_engine(SETTINGS), SETTINGS, clock=lambda: now, understanding=Told(KINDS))
    assert answer in await Talk(agent).say(said)


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("Yesterday at ten.", "That day or time is past."),
        ("On February 30.", "there is no such date."),
        ("On Sunday.", "we are closed on Sunday. The nearest times we open are Saturday at 9 a.m. and Monday,"),
        ("On Christmas Day.", "we are closed on Christmas Day. The nearest times we open are"),
        ("Tuesday at 9 p.m.", "we are closed then. On Tuesday, we are open from 8 a.m. to 6 p.m."),
    ],
)
async def test_a_wish_for_a_time_that_cannot_be_is_refused_with_the_nearest(
    clinic: AgentProfile, said: str, refused: str
) -> None:
    _, answer = await answers(clinic, "I want to book a cleaning.", said, at="2026-11-30T10:30")
    assert refused in answer
    assert answer.endswith("?")


async def test_a_date_of_another_week_is_kept_in_the_wish(clinic: AgentProfile) -> None:
    said = (
        "I want to book a cleaning.",
        "Next week.",
        "Next Tuesday at ten.",
        "My name is Anna.",
        "It's 0912 345 678.",
    )
    *_, week, day, _, confirm = await answers(clinic, *said)
    assert week.startswith("Which of these suits you")
    assert day.startswith("You'd like Tuesday, December 8 at 10 a.m.")
    assert "Tuesday, December 8 at 10 a.m." in confirm


async def test_a_doctor_whose_name_is_a_day_is_no_day(clinic: AgentProfile) -> None:
    talk = Talk(GraphAgent(clinic, open_engine(SETTINGS), SETTINGS, understanding=Told({"mai": "who"})), "vi")
    assert "phụ trách" in await talk.say("Còn bác sĩ Mai?")


async def test_what_no_fact_covers_is_not_known_ten_times_in_a_row(clinic: AgentProfile) -> None:
    said = await answers(clinic, *(["Do you have wifi?"] * 10))
    assert all("don't know" in answer for answer in said)


async def test_keys_are_a_number_that_was_asked_for(clinic: AgentProfile) -> None:
    talk = Talk(agent_of(clinic))
    for said in ("I want to book a cleaning for Wednesday.", "My name is Anna."):
        await talk.say(said)
    assert "0912 345 678" in await talk.say(Dtmf("0912345678"))


async def test_a_draft_is_interrupted_before_it_acts_and_goes_on_at_the_commit(clinic: AgentProfile) -> None:
    talk = Talk(agent_of(clinic.model_copy(update={"handover": "200"})))
    assert await talk.say("I want a person.", commit=lambda: False) == "One moment, please, I'll put you through."
    assert talk.acts == []
    await talk.say("I want a person.")
    assert talk.acts == [Transfer("200")]


async def test_another_language_of_the_agents_is_switched_to(clinic: AgentProfile) -> None:
    talk = Talk(agent_of(clinic))
    assert await talk.say("Can we speak Vietnamese?") == "Yes, just go on in Vietnamese."
    assert talk.acts == [SwitchLanguage("vi")]
    assert await talk.say("Can we speak Chinese?") == "I'm sorry, I only speak English and Vietnamese."


async def test_who_asks_for_a_language_in_that_language_is_listened_to_in_it(clinic: AgentProfile) -> None:
    talk = Talk(agent_of(clinic))  # the turn was recognised as English; the call may have been in Vietnamese until now
    assert await talk.say("Can we speak English?") == "Yes, just go on in English."
    assert talk.acts == [SwitchLanguage("en")]


async def test_what_was_said_is_repeated(clinic: AgentProfile) -> None:
    first, second = await answers(clinic, "How much is a crown?", "Could you repeat that?")
    assert first == second


@pytest.mark.parametrize("state", [{"wish": 3}, {"asked": 7, "n_unknown": "x"}, {"wish": {"kind": ["book"]}}])
async def test_a_state_of_another_shape_is_replaced(clinic: AgentProfile, state: dict[str, object]) -> None:
    talk = Talk(agent_of(clinic))
    talk.state = state
    assert await talk.say("How much is a crown?") == "A crown costs 250 dollars."


@pytest.fixture
def survey() -> Talk:
    return Talk(OwnGraphAgent(read_agents(ROOT / "tests/data/agents")["survey"]))


async def test_a_graph_of_ones_own_speaks_remembers_and_acts(survey: Talk) -> None:
    assert await survey.say("I like it.") == "Thank you, I see."
    assert await survey.say("That is enough.") == "Thank you, I see. That was everything. Goodbye!"
    assert survey.state == {"n_answers": 2}
    assert len(survey.acts) == 1


async def test_a_graph_of_ones_own_has_no_side_effect_before_the_commit(survey: Talk) -> None:
    survey_graph.complaints.clear()
    await survey.say("I complain about the noise.", commit=lambda: False)
    assert survey_graph.complaints == []
    await survey.say("I complain about the noise.")
    assert survey_graph.complaints == ["I complain about the noise."]


@pytest.mark.parametrize(("said", "why"), [("Go in a circle.", "more than 25 nodes"), ("Be broken.", "RuntimeError")])
async def test_a_graph_that_loops_or_raises_fails_its_turn_alone(survey: Talk, said: str, why: str) -> None:
    with pytest.raises(TurnFailed, match=why):
        await survey.say(said)
    assert await survey.say("I like it.") == "Thank you, I see."


async def test_a_caller_who_names_a_place_of_the_file_is_put_through_to_it(clinic: AgentProfile) -> None:
    talk = Talk(agent_of(clinic))
    assert (
        await talk.say("I want to talk to a person at the front desk.") == "One moment, please, I'll put you through."
    )
    assert talk.acts == [Transfer("reception")]


async def test_thanks_with_an_end_and_a_greeting_ends_a_call_at_once(clinic: AgentProfile) -> None:
    talk = Talk(agent_of(clinic), "vi")
    assert "chào anh chị" in await talk.say("dạ thôi được rồi cảm ơn em nhé chào em")
