"""A name that the caller gave is said back, whatever it holds; nobody is made one of the house by it."""

import pytest

from services.nlu.agent.caller_names import names_in_text
from tests.unit.nlu.test_guard_of_right_clauses import model


@pytest.mark.parametrize(
    ("said", "language", "names"),
    [
        ("This is Dr Paul Reed, I need a filling.", "en", [("paul", "reed")]),
        ("I'm Rob Sunday.", "en", [("rob", "sunday")]),
        ("my name is rob sunday", "en", [("rob", "sunday")]),
        ("For my husband, Tom Friday.", "en", [("tom", "friday")]),
        ("My name is April.", "en", [("april",)]),
        ("holly noon", "en", [("holly", "noon")]),
        ("um tomorrow at noon", "en", []),
        ("This is for Monday.", "en", []),
        ("On Thursday, please.", "en", []),
        ("Friday Morning, then.", "en", []),
        ("Are you open on Good Friday?", "en", []),
        ("Tôi tên là Nguyễn Văn Ba.", "vi", [("nguyễn", "văn", "ba")]),
        ("Меня зовут Анна Среда.", "ru", [("анна", "среда")]),
        ("我叫王五。", "zh", [("王", "五")]),
    ],
)
def test_a_name_is_what_the_caller_gives_as_one(said: str, language: str, names: list[tuple[str, ...]]) -> None:
    assert list(names_in_text(said, language)) == names


@pytest.mark.parametrize(
    ("clause", "asked", "code", "agent", "broken"),
    [
        ("Thank you, Dr. Reed.", "This is Dr Paul Reed.", "en", "clinic", ""),
        ("Dr. Reed does our crowns.", "This is Dr Paul Reed.", "en", "clinic", "thing"),
        ("Thank you, Doctor Brown.", "Is there a Doctor Brown?", "en", "clinic", "name"),
        ("Thanks, Mr. Sunday.", "I'm Rob Sunday.", "en", "clinic", ""),
        ("We're open on Sunday, Mr. Sunday.", "I'm Rob Sunday.", "en", "clinic", "hours"),
        ("Mr. Sunday is our dentist.", "I'm Rob Sunday.", "en", "clinic", "thing"),
        ("Thank you, Holly Noon.", "holly noon", "en", "clinic", ""),
        ("Yes, Mr. Sunday.", "I'm Rob Sunday. Can I park there?", "en", "clinic", ""),
        ("Yes, Mr. Sunday.", "I'm Rob Sunday. Is there a sauna?", "en", "clinic", "affirmed_thing"),
        ("Dạ, em cảm ơn anh Ba ạ.", "Tôi tên là Nguyễn Văn Ba.", "vi", "clinic", ""),
        ("Dạ chị Hoa cho em xin số điện thoại ạ.", "Chị tên Hoa.", "vi", "clinic", ""),
        ("Dạ chị Hoa là bác sĩ bên em ạ.", "Chị tên Hoa.", "vi", "clinic", "thing"),
        ("Спасибо, Анна Среда.", "Меня зовут Анна Среда.", "ru", "hotel", ""),
        ("谢谢王五先生。", "我叫王五。", "zh", "hotel", ""),
        ("Tran Lee sees children.", "Who sees children?", "en", "clinic", "name"),
        ("You would see Tran Lee for that.", "Who sees children?", "en", "clinic", "name"),
    ],
)
def test_a_name_is_said_back_and_claims_nothing(clause: str, asked: str, code: str, agent: str, broken: str) -> None:
    assert model(clause, asked, code, agent) == broken


@pytest.mark.parametrize(
    ("clause", "asked", "code", "broken"),
    [
        ("Yes, of course.", "My daughter is six, can she have a check-up?", "en", ""),
        ("Yes, of course.", "Is a check-up six dollars?", "en", "affirmed_price"),
        ("We see children from 3 years old.", "From which age do you see children?", "en", "duration"),
        ("Dạ được ạ.", "Con tôi năm tuổi khám được không?", "vi", ""),
        ("Dạ bé sáu tuổi thì bác sĩ Mai khám ạ.", "Bé sáu tuổi ai khám?", "vi", ""),
        ("Dạ bé bảy tuổi thì bác sĩ Mai khám ạ.", "Bé sáu tuổi ai khám?", "vi", "number"),
    ],
)
def test_an_age_that_the_caller_gave_is_no_figure_of_the_house(clause: str, asked: str, code: str, broken: str) -> None:
    assert model(clause, asked, code) == broken
