"""A clause is spoken when the facts, a tool or the caller speaks for it."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from services.nlu.agent.evidence import Evidence
from services.nlu.agent.facts import NO_FACTS
from services.nlu.agent.guard import Guard
from tests.load.guard import clinic_guard

GUARD = clinic_guard()
MONDAY = datetime(2026, 11, 30, 9)


def rule(clause: str, question: str = "", language: str = "en", **evidence: object) -> str:
    """The rule that a clause breaks; empty: it is spoken."""
    given = replace(Evidence(caller=(question,) if question else (), now=MONDAY), **evidence)  # type: ignore[arg-type] # as given
    return GUARD.check(clause, language=language, evidence=given).rule


@pytest.mark.parametrize(
    ("clause", "language", "broken"),
    [
        ("Most people feel nothing.", "en", "claim"),
        ("You can keep your place if you are late.", "en", "claim"),
        ("Children may have whitening.", "en", "claim"),
        ("Dạ buổi sáng thường vắng ạ.", "vi", "claim"),
        ("Dạ không tới thì mất phí ạ.", "vi", "claim"),
        ("Sure, I can help you with that.", "en", ""),
        ("Yes, we do whitening.", "en", ""),
        ("Doctor Tran Mai sees children.", "en", ""),
        ("You can park for free behind the building.", "en", ""),
        ("I'm sorry to hear that.", "en", ""),
        ("Dạ, bác sĩ Trần Mai khám cho trẻ em ạ.", "vi", ""),
        ("Dạ, em hiểu ạ.", "vi", ""),
    ],
)
def test_a_models_statement_has_only_properties_that_a_fact_has(clause: str, language: str, broken: str) -> None:
    asked = {"en": "My gums are bleeding. Is he any good?", "vi": "Bên em thế nào?"}[language]
    assert rule(clause, asked, language, is_written_by_model=True) == broken


@pytest.mark.parametrize(
    ("clause", "asked", "language", "broken"),
    [
        ("Sarah.", "My name is Sarah.", "en", ""),
        ("That's kind of you.", "You're very helpful.", "en", ""),
        ("Dạ, em cảm ơn anh chị nhiều ạ.", "Em dễ thương quá.", "vi", ""),
        ("Dạ, bên em có nhiều bác sĩ ạ.", "Có mấy bác sĩ?", "vi", "claim"),
        ("Dạ, việc đó em không làm được ạ.", "Hát cho tôi nghe.", "vi", ""),
        ("Dạ, thứ Hai bên em không làm ạ.", "Thứ hai có làm không?", "vi", "hours"),
    ],
)
def test_a_courtesy_states_nothing(clause: str, asked: str, language: str, broken: str) -> None:
    given = {"reply": "Nice to meet you,"} if "name is" in asked else {}
    assert rule(clause, asked, language, is_written_by_model=True, **given) == broken


def test_a_template_is_not_held_to_the_words_of_a_model() -> None:
    assert rule("All right, I'll leave it.") == ""


@pytest.mark.parametrize(
    ("clause", "broken"),
    [
        ("A root canal costs 250 dollars.", "price"),
        ("A crown costs 250 dollars.", ""),
        ("A crown costs two hundred and fifty dollars.", ""),
        ("A crown costs 250 euros.", "price"),
        ("We are open on Sunday.", "hours"),
        ("We are closed on Sunday.", ""),
        ("We are closed on Monday.", "hours"),
        ("We are not open on Monday.", "hours"),
        ("Thursday at two is free.", "free_time"),
        ("Friday at nine is free.", ""),
        ("Friday at nine is taken.", "free_time"),
        ("Doctor Tran Mai does crowns.", "person"),
        ("Doctor Lee does crowns.", ""),
        ("Doctor Lee works on Monday.", "person_day"),
        ("Yes, we have a sauna.", "thing"),
        ("We don't have a sauna.", "thing"),
        ("I don't know whether we have Wi-Fi.", ""),
        ("Ask for Mister Brown.", "name"),
        ("We are at 52 Nguyen Hue Street.", "number"),
        ("We are at 25 Nguyen Hue Street.", ""),
        ("We have 25 dentists.", "number"),
        ("You are booked.", "deed"),
        ("You are not booked.", ""),
        ("Would you like to be booked?", ""),
        ("I'll send you a message.", "promise"),
        ("I can send you a message.", "ability"),
        ("I am a real person.", "human"),
        ("I am not a real person.", ""),
    ],
)
def test_claims_are_held_against_the_facts(clause: str, broken: str):
    assert rule(clause) == broken


@pytest.mark.parametrize(
    ("clause", "language", "broken"),
    [
        ("Пломба стоит 60 долларов.", "ru", "money"),
        ("Вы записаны на вторник.", "ru", "deed"),
        ("Я вас соединяю.", "ru", "promise"),
        ("已经帮您预约好了。", "zh", "deed"),
        ("我帮您转接。", "zh", "promise"),
    ],
)
def test_deeds_and_figures_are_seen_in_other_languages_too(clause: str, language: str, broken: str):
    guard = Guard(NO_FACTS, languages=(language,))
    found = guard.check(clause, language=language, evidence=Evidence(now=MONDAY)).rule
    assert found == broken


def test_a_deed_passes_with_a_result_that_says_so():
    assert rule("You are booked.", done=frozenset({"book_appointment"})) == ""
    assert rule("You are booked.", asked=frozenset({"book_appointment"})) == "deed"
    assert rule("You are booked.", done=frozenset({"send_sms"})) == "deed"


def test_a_promise_passes_with_its_act():
    assert rule("I'll put you through.", asked=frozenset({"transfer"})) == ""


def test_what_the_caller_said_may_be_said_again_but_not_claimed():
    assert rule("Your number is 0912 345 678, is that right?", "It's 0912 345 678.") == ""
    assert rule("Your number is 0912 345 679, is that right?", "It's 0912 345 678.") == "digits"
    assert rule("You'd like Thursday at two, is that right?", "Thursday at two.") == ""
    assert rule("A filling is 60 dollars.", "Is a filling 60 dollars?") == "price"


@pytest.mark.parametrize(
    ("asked", "broken"),
    [
        ("Do you have a sauna?", "affirmed_thing"),
        ("Are you open on Sunday?", "affirmed_hours"),
        ("Is a filling 60 dollars?", "affirmed_price"),
        ("Is Thursday at two free?", "affirmed_free_time"),
        ("Am I booked already?", "affirmed_deed"),
        ("Is a filling 50 dollars?", ""),
        ("Are you open on Monday?", ""),
        ("I need an appointment.", ""),
    ],
)
def test_a_bare_yes_claims_what_was_asked(asked: str, broken: str):
    assert rule("Yes.", asked) == broken


def test_a_price_belongs_to_what_was_asked():
    assert rule("It costs 250 dollars.", "How much is a crown?") == ""
    assert rule("It costs 250 dollars.", "How much is a filling?") == "price"
    assert rule("It costs 250 dollars.", "How much is a root canal?") == "price"


def test_a_clause_is_judged_with_the_sentence_it_stands_in():
    assert rule("from 9 a.m. to 1 p.m.", reply="On Saturday we are open ") == ""
    assert rule("from 9 a.m. to 1 p.m.", reply="On Friday we are open ") == "hours"
    assert rule("from 9 a.m. to 1 p.m.", "What time do you close on Fridays?") == "hours"


def test_results_of_tools_and_sums_are_known():
    free = '{"free": ["2026-12-03T14:00"]}'
    assert rule("Thursday at two is free.", tools=(free,)) == ""
    assert rule("Thursday at three is free.", tools=(free,)) == "free_time"
    assert rule("That makes 85 dollars.", computed=(Decimal(85),)) == ""


def test_an_agent_without_facts_goes_by_its_instructions():
    guard = Guard(NO_FACTS, languages=("en",), prose={"en": "We are a hotel. A room costs 90 dollars."})
    evidence = Evidence(now=MONDAY)
    assert guard.check("A room costs 90 dollars.", language="en", evidence=evidence).ok
    assert not guard.check("A room costs 80 dollars.", language="en", evidence=evidence).ok


@pytest.mark.parametrize("clause", ["", "?!", "…", "9" * 500, "\u202e1\u0301", "a" * 3000, "và " * 400, "一" * 300])
def test_nothing_breaks_the_guard(clause: str):
    for language in ("en", "vi", "ru", "zh"):
        GUARD.check(clause, language=language, evidence=Evidence(caller=(clause,), reply=clause))


def test_a_deed_in_any_words_needs_a_result():
    said = "I dropped her a line just now."
    assert rule(said, "Can you tell the doctor?") == "deed"
    assert rule(said, "Can you tell the doctor?", done=frozenset({"send_message"})) == ""
    assert rule("I understand.", "Can you tell the doctor?") == ""


def test_what_is_there_is_not_denied():
    assert rule("There is no parking here at all.", "Is there parking?") == "denial"
    assert rule("We don't do crowns.", "Do you do crowns?") == "denial"
    assert rule("I don't know the price of an implant.", "How much is an implant?") == ""


def test_a_superlative_is_of_the_price_that_is_so():
    assert rule("The cheapest is a check-up at 20 dollars.", "What is the cheapest?") == ""
    assert rule("The cheapest is a filling at 50 dollars.", "What is the cheapest?") == "superlative"
    assert rule("A crown is the most expensive.", "Which is the dearest?") == ""


def test_days_that_code_makes_of_what_the_caller_said_are_known():
    assert rule("You'd like Tuesday.", "I want to cancel my appointment tomorrow.") == ""  # it is Monday
    assert rule("You'd like Thursday.", "I want to cancel my appointment tomorrow.") == "day"
