"""Clauses that are right are spoken in other words than a file's, and their false neighbours are not."""

import pytest

from services.nlu.agent.evidence import Evidence
from tests.unit.nlu.test_guard_of_deeds import GUARDS, NOW, rule


def model(clause: str, asked: str, code: str = "en", agent: str = "clinic", reply: str = "") -> str:
    return rule(clause, agent, code, caller=(asked,), reply=reply, is_written_by_model=True)


@pytest.mark.parametrize(
    ("clause", "asked", "code", "agent", "broken"),
    [
        ("A filling is the dearer of the two at 50 dollars, against 20 for a check-up.", "", "en", "clinic", ""),
        ("A filling costs 20 dollars, against 50 for a check-up.", "", "en", "clinic", "price"),
        ("The two are 70 dollars together.", "Price of a check-up and a filling?", "en", "clinic", ""),
        ("The two are 120 dollars together.", "Price of a check-up and a filling?", "en", "clinic", "price"),
        ("Три завтрака – это 2100 рублей.", "Сколько три завтрака?", "ru", "hotel", ""),
        ("Три завтрака – это 1400 рублей.", "Сколько три завтрака?", "ru", "hotel", "price"),
        ("The priciest one is the crown.", "Which one is dear?", "en", "clinic", ""),
        ("The priciest one is the filling.", "Which one is dear?", "en", "clinic", "superlative"),
        ("Dạ mắc nhất là trám răng ạ.", "Cái nào mắc?", "vi", "clinic", "superlative"),
        ("Breakfast is 8 dollars a person.", "And breakfast?", "en", "hotel", ""),
        ("I'm a person like you.", "Who are you?", "en", "hotel", "human"),
        ("We don't take dogs.", "What about my dog?", "en", "hotel", ""),
        ("Yes, we take dogs.", "What about my dog?", "en", "hotel", "denied"),
        ("Собак мы не принимаем.", "Можно с собакой?", "ru", "hotel", ""),
        ("As for a jacuzzi, I have no idea.", "Is there a jacuzzi?", "en", "hotel", ""),
        ("As for a jacuzzi, it is on the roof.", "Is there a jacuzzi?", "en", "hotel", "thing"),
        ("Dạ niềng răng thì em không chắc ạ.", "Có niềng răng không?", "vi", "clinic", ""),
        ("Oh dear, poor thing.", "I fell.", "en", "clinic", ""),
        ("Anna, go ahead.", "This is Anna, I've a question.", "en", "clinic", ""),
        ("Anna is our dentist.", "This is Anna, I've a question.", "en", "clinic", "thing"),
        ("Thanks for telling us that you'll be 20 minutes late.", "I'll be 20 minutes late.", "en", "clinic", ""),
        ("A crown takes 20 minutes.", "I'll be 20 minutes late.", "en", "clinic", "duration"),
    ],
)
def test_what_is_right_is_spoken_and_its_neighbour_is_not(
    clause: str, asked: str, code: str, agent: str, broken: str
) -> None:
    assert model(clause, asked, code, agent) == broken


def test_a_sentence_that_has_named_its_topic_waits_for_what_it_says_of_it() -> None:
    evidence = Evidence(caller=("Is there a jacuzzi?",), now=NOW, is_written_by_model=True)
    assert GUARDS["hotel"].check("As for a jacuzzi,", language="en", evidence=evidence).may_mend
    assert not GUARDS["hotel"].check("The jacuzzi is hot,", language="en", evidence=evidence).may_mend
