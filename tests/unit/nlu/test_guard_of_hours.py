"""Conclusions from the opening hours, and the part behind "but", which is held against them by itself."""

import pytest

from tests.unit.nlu.test_guard_of_right_clauses import model

CLINIC, HOTEL = "clinic", "hotel"


@pytest.mark.parametrize(
    ("clause", "asked", "code", "agent", "broken"),
    [
        ("Nothing is free on Monday, but Friday at 9 a.m. is.", "Is Monday free?", "en", CLINIC, ""),
        ("Nothing is free on Monday, but Friday at 11 a.m. is.", "Is Monday free?", "en", CLINIC, "free_time"),
        ("Nothing is free on Friday, but Wednesday at 3 p.m. is.", "Is Friday free?", "en", CLINIC, "free_time"),
        ("Dạ thứ Hai kín lịch, nhưng thứ Tư lúc 3 giờ chiều thì còn ạ.", "Thứ Hai còn không?", "vi", CLINIC, ""),
        (
            "Dạ thứ Hai kín lịch, nhưng thứ Tư lúc 4 giờ chiều thì còn ạ.",
            "Thứ Hai còn không?",
            "vi",
            CLINIC,
            "free_time",
        ),
        ("We are open on Saturday, but not on Sunday.", "Open at the weekend?", "en", CLINIC, ""),
        ("We are open on Friday, but not on Saturday.", "Open at the weekend?", "en", CLINIC, "hours"),
        ("We close at 6 p.m. on Mondays, so seven would be too late.", "Can I come Monday at seven?", "en", CLINIC, ""),
        (
            "We close at 6 p.m. on Mondays, so five would be too late.",
            "Can I come Monday at five?",
            "en",
            CLINIC,
            "number",
        ),
        ("On Mondays we work until 6 p.m., so four is fine.", "Are you open on Monday at four?", "en", CLINIC, ""),
        (
            "On Saturdays we work until 1 p.m., so four is fine.",
            "Are you open on Saturday at four?",
            "en",
            CLINIC,
            "number",
        ),
        (
            "Dạ thứ Hai làm đến 6 giờ chiều, nên 7 giờ thì muộn rồi ạ.",
            "Thứ Hai 7 giờ tối được không?",
            "vi",
            CLINIC,
            "",
        ),
        (
            "The desk closes at 11 p.m., so nobody is there at one a.m.",
            "Is anybody there at one a.m.?",
            "en",
            HOTEL,
            "",
        ),
        (
            "The desk closes at 11 p.m., so nobody is there at ten p.m.",
            "Is anybody there at ten p.m.?",
            "en",
            HOTEL,
            "hours",
        ),
        ("We are closed that day.", "Is somebody there on January 1?", "en", CLINIC, ""),
        ("We are closed that day.", "Is somebody there on January 2?", "en", CLINIC, "hours"),
        ("Dạ bữa đó bên em nghỉ ạ.", "Ngày 5 tháng 1 có khám không?", "vi", CLINIC, "hours"),
        ("On Mondays we're open for ten hours.", "How long are you open on Monday?", "en", CLINIC, ""),
        ("On Saturdays we're open for ten hours.", "How long are you open on Saturday?", "en", CLINIC, "duration"),
        ("A filling takes four hours.", "How long are you open on Saturday?", "en", CLINIC, "duration"),
        ("You may move in from 2 p.m.", "When do we get our room?", "en", HOTEL, ""),
        ("You may move in until 2 p.m.", "When do we get our room?", "en", HOTEL, "time"),
        ("Please vacate it by noon.", "When do we go?", "en", HOTEL, ""),
        ("Please vacate it by 2 p.m.", "When do we go?", "en", HOTEL, "time"),
        ("Заехать можно с 14:00.", "Когда номер готов?", "ru", HOTEL, ""),
        ("Заехать можно с 12:00.", "Когда номер готов?", "ru", HOTEL, "time"),
    ],
)
def test_a_part_has_its_own_days_and_times(clause: str, asked: str, code: str, agent: str, broken: str) -> None:
    assert model(clause, asked, code, agent) == broken


@pytest.mark.parametrize(
    ("clause", "asked", "code", "agent", "broken"),
    [
        ("On Sundays we're only there in the morning.", "Is it closed on Sunday afternoon too?", "en", CLINIC, "hours"),
        ("On Sundays we're not there.", "Is it closed on Sunday afternoon too?", "en", CLINIC, ""),
        ("The front desk is only staffed until eleven at night.", "We'll be late.", "en", HOTEL, ""),
        ("The front desk is staffed until one at night.", "We'll be late.", "en", HOTEL, "hours"),
        ("Dạ thứ Năm còn nhiều chỗ lắm ạ.", "Chị đến thứ Năm được không?", "vi", CLINIC, "free_time"),
        ("Dạ thứ Năm chị đến giờ nào cũng còn chỗ.", "Chị đến thứ Năm được không?", "vi", CLINIC, "hours"),
        ("Dạ còn ạ.", "Thứ Năm còn chỗ không?", "vi", CLINIC, "affirmed_free_time"),
        ("Dạ còn ạ.", "Thứ Sáu còn chỗ không?", "vi", CLINIC, ""),
        ("Dạ thứ Năm hết chỗ rồi ạ, còn thứ Sáu lúc 9 giờ sáng ạ.", "Thứ Năm?", "vi", CLINIC, ""),
        ("Dạ thứ Năm không còn chỗ, chỉ có thứ Sáu lúc 9 giờ sáng ạ.", "Thứ Năm?", "vi", CLINIC, ""),
        ("Dạ thứ Năm không còn chỗ, chỉ có thứ Sáu lúc 10 giờ sáng ạ.", "Thứ Năm?", "vi", CLINIC, "free_time"),
        ("下午两点以后可以入住，退房时间是中午十二点之前。", "几点能入住？", "zh", HOTEL, ""),
        ("下午两点以后可以入住，退房时间是下午两点。", "几点能入住？", "zh", HOTEL, "time"),
        ("The earliest we have is Friday at 9 a.m.", "When is the soonest?", "en", CLINIC, "free_time"),
        ("The next one after Tuesday is Wednesday at 3 p.m.", "After Tuesday?", "en", CLINIC, ""),
        ("Dạ sớm nhất là thứ Sáu lúc 9 giờ sáng ạ.", "Sớm nhất là khi nào?", "vi", CLINIC, "free_time"),
        ("Dạ thứ Tư còn 9 giờ sáng và 3 giờ chiều ạ.", "Thứ Tư có giờ nào?", "vi", CLINIC, "free_time"),
        ("Tuesday afternoon is wide open.", "Would Tuesday work?", "en", CLINIC, "hours"),
        ("Sunday isn't possible, because that's our day off.", "Book me for Sunday?", "en", CLINIC, ""),
        ("Tuesday isn't possible, because that's our day off.", "Book me for Tuesday?", "en", CLINIC, "free_time"),
        ("Friday, December 25.", "What day is the 25th of December?", "en", CLINIC, ""),
        ("Thursday, December 25.", "What day is the 25th of December?", "en", CLINIC, "date"),
        ("Yes.", "Are you closed right now?", "en", CLINIC, "affirmed_hours"),
        ("Стойка работает всю ночь.", "Ночью стойка работает?", "ru", HOTEL, "hours"),
        ("前台早上六点就有人了。", "前台几点开始有人？", "zh", HOTEL, ""),
        ("前台早上五点就有人了。", "前台几点开始有人？", "zh", HOTEL, "hours"),
        ("The earliest opening we have is tomorrow.", "When is the soonest?", "en", CLINIC, ""),
        ("The earliest opening we have is today.", "When is the soonest?", "en", CLINIC, "free_time"),
    ],
)
def test_free_and_staffed_are_said_in_many_words(clause: str, asked: str, code: str, agent: str, broken: str) -> None:
    assert model(clause, asked, code, agent) == broken
