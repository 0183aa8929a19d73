"""Values that a caller puts right before the turn is over."""

import pytest

from services.nlu.agent.graph.asking import asking
from services.nlu.agent.graph.self_repair import repaired, repaired_name


@pytest.mark.parametrize(
    ("tag", "said", "meant"),
    [
        ("en", "A double for two nights, no sorry, four", "A double for four nights"),
        ("en", "a check-up on Monday at nine, sorry, ten", "a check-up on Monday at ten"),
        ("en", "on monday no wait tuesday at nine", "on tuesday at nine"),
        ("en", "at 9 a.m., oops, 10", "at 10 a.m"),
        ("en", "for two nights, no, five nights please", "for five nights please"),
        ("en", "on the second, sorry, the third of December", "the third of December"),
        ("vi", "Nhổ răng thứ năm chín giờ sáng, à không, mười giờ sáng.", "Nhổ răng thứ năm mười giờ sáng."),
        ("vi", "phòng đôi ba đêm, à nhầm, bốn đêm", "phòng đôi bốn đêm"),
        ("ru", "на три ночи... нет, простите, на четыре", "на четыре ночи"),
        ("ru", "с четверга, ой, с пятницы, на две ночи", "с пятницы, на две ночи"),
        ("zh", "住三晚，不对，四晚。", "住四晚。"),
    ],
)
def test_a_repair_takes_the_place_of_what_it_puts_right(tag: str, said: str, meant: str) -> None:
    text = repaired(said, tag, asking(tag))
    assert text.removeprefix("on ").removeprefix("на ") == meant.removeprefix("on ").removeprefix("на ")


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("en", "I can't do Monday, sorry, Tuesday would be fine."),
        ("en", "Not Monday, sorry, Tuesday"),
        ("en", "I have Monday at nine. Sorry, could I have Tuesday?"),
        ("en", "My appointment is Monday at nine, no, Tuesday instead"),
        ("en", "move it from Monday to Tuesday, sorry, Friday"),
        ("en", "Are you open Monday or Tuesday, no Friday?"),
        ("en", "It's 0912, sorry, 0913 445 566"),
        ("en", "zero nine one two, sorry, three four five"),
        ("en", "No, Tuesday at nine"),
        ("vi", "Thứ năm được không, thứ sáu được không"),
        ("en", "Monday's no good, sorry, Tuesday"),
        ("vi", "Thứ năm chị bận, xin lỗi, thứ sáu"),
        ("zh", "我要周四，不是周五"),
        ("zh", "三晚不是四晚"),
        ("en", "Monday is fine, no sorry, Tuesday isn't good"),
        ("en", "Monday, no, Tuesday is out of the question"),
        ("en", "Monday, wait, Tuesday as well"),
        ("en", "Monday at nine, please. Sorry, are you open on Tuesday?"),
        ("vi", "Cho em đặt thứ năm. Xin lỗi, thứ sáu có mở cửa không?"),
        ("ru", "Запишите на четверг. Простите, на пятницу тоже"),
        ("zh", "周四可以，等一下，周五也可以"),
        ("vi", "Dạ em là Mai, xin lỗi, hôm nay còn lịch không"),
        ("en", "Three nights at nine, sorry, four nights"),
        ("en", "a room for two from Friday, sorry, three people"),
        ("vi", "cho ba người, à nhầm, bốn giờ"),
        ("en", "You have me down for Monday at nine. Actually, make that ten."),
        ("ru", "У меня запись на четверг. Нет, на пятницу можно?"),
        ("ru", "В пятницу не смогу, простите, в субботу"),
    ],
)
def test_what_is_no_repair_stays_as_it_was_said(tag: str, said: str) -> None:
    assert repaired(said, tag, asking(tag)) == said


@pytest.mark.parametrize(
    ("tag", "said", "meant"),
    [
        ("en", "Peter Marsh, sorry, Marshall.", "Peter Marshall"),
        ("en", "Marsh, sorry, Marshall. Peter Marshall.", "Peter Marshall"),
        ("en", "May, no, April Stone.", "April Stone"),
        ("en", "peter marsh sorry marshall", "peter marshall"),
        ("vi", "Lê Thị Hoa, à không, Lê Thị Hoà.", "Lê Thị Hoà"),
        ("ru", "Иван Петров, ой, Петухов", "Иван Петухов"),
        ("zh", "我叫王方，不对，王芳。", "王芳"),
    ],
)
def test_a_name_is_put_right_where_it_was_asked_for(tag: str, said: str, meant: str) -> None:
    assert repaired_name(said, tag, asking(tag)) == meant


@pytest.mark.parametrize(
    "said",
    [
        "Peter Marsh. Sorry I'm late",
        "Peter Marsh, wait, is there parking?",
        "Sorry, it's Peter Marsh",
        "Peter Marsh, sorry",
    ],
)
def test_what_is_said_beside_a_name_puts_nothing_right(said: str) -> None:
    assert repaired_name(said, "en", asking("en")) == said


def test_a_name_that_is_denied_is_not_the_callers() -> None:
    assert repaired_name("我叫李雷，不是李蕾", "zh", asking("zh")) == "我叫李雷，不是李蕾"
