"""A model may speak of the call itself, in whatever words; of the house it says what the facts have."""

import pytest

from services.nlu.agent.evidence import Evidence
from tests.unit.nlu.test_guard_of_deeds import GUARDS, NOW
from tests.unit.nlu.test_guard_of_right_clauses import model


@pytest.mark.parametrize(
    ("clause", "told", "code", "agent"),
    [
        (
            "I completely understand, plenty of people get jittery in the chair.",
            "I'm terrified of this.",
            "en",
            "clinic",
        ),
        ("I'm so sorry for your loss, that must be devastating.", "My father died last night.", "en", "clinic"),
        ("I'll talk at a gentler pace from here on.", "You talk like a machine gun.", "en", "clinic"),
        ("What a downpour, I hope you stay dry.", "It's pouring here.", "en", "hotel"),
        ("Nobody enjoys that whirring noise.", "I hate the drill.", "en", "clinic"),
        ("A cracked molar is no picnic.", "I cracked a molar.", "en", "clinic"),
        ("The line is rather crackly.", "Can you hear me?", "en", "hotel"),
        ("I'm an assistant, but a cheerful one.", "Are you a robot?", "en", "clinic"),
        ("Такой переезд всегда изматывает.", "Мы ехали сутки.", "ru", "hotel"),
        ("Dạ em hiểu cảm giác bồn chồn của chị ạ.", "Chị run quá em ơi.", "vi", "clinic"),
        ("Dạ em xin chia buồn sâu sắc cùng gia đình mình ạ.", "Ba chị vừa mất.", "vi", "clinic"),
        ("Понимаю, такие перелёты выматывают.", "Мы очень устали с дороги.", "ru", "hotel"),
        ("Хорошо, я буду говорить чётче.", "Вы очень быстро говорите.", "ru", "hotel"),
        ("听起来真让人头疼。", "我打了三次电话了。", "zh", "hotel"),
        ("祝您蜜月愉快！", "我下周结婚。", "zh", "hotel"),
    ],
)
def test_talk_of_the_call_is_spoken(clause: str, told: str, code: str, agent: str) -> None:
    assert model(clause, told, code, agent) == ""


@pytest.mark.parametrize(
    ("clause", "asked", "code", "agent"),
    [
        ("I understand the jacuzzi is gorgeous.", "Is there a jacuzzi?", "en", "hotel"),
        ("I'm happy to say vouchers are fine.", "Can I use my gift card?", "en", "clinic"),
        ("I hope you enjoy our soundproof rooms.", "Is it noisy at night?", "en", "hotel"),
        ("You must feel only a tickle.", "Does it hurt?", "en", "clinic"),
        ("I hear Doctor Lee is a wizard.", "Is Doctor Lee any good?", "en", "clinic"),
        ("You're welcome to bring your parrot along.", "I have a parrot.", "en", "hotel"),
        ("Dạ em rất vui vì hồ bơi bên em rất rộng ạ.", "Có hồ bơi không?", "vi", "hotel"),
        ("Нет, стены очень толстые.", "У вас шумно?", "ru", "hotel"),
        ("Я рада, что балкон просторный.", "А балкон большой?", "ru", "hotel"),
        ("What you get is a silk robe.", "I'm coming with my wife.", "en", "hotel"),
        ("The pool is under repair.", "I saw a pool on your page.", "en", "hotel"),
        ("Завтрак всегда включён.", "Мы ехали сутки.", "ru", "hotel"),
        ("浴缸很大。", "浴室有浴缸吗？", "zh", "hotel"),
        ("墙很厚，听不到声音。", "房间隔音吗？", "zh", "hotel"),
    ],
)
def test_talk_that_states_something_of_the_house_is_held_to_the_facts(
    clause: str, asked: str, code: str, agent: str
) -> None:
    assert model(clause, asked, code, agent) != ""


@pytest.mark.parametrize(
    ("clause", "asked", "code", "agent"),
    [
        ("I wouldn't say that, we have a jacuzzi.", "Is there no jacuzzi?", "en", "clinic"),
        ("We don't charge for telling you about the jacuzzi.", "Is there a jacuzzi?", "en", "clinic"),
        ("I don't have to tell you that our jacuzzi is the best.", "Is there a jacuzzi?", "en", "clinic"),
        ("I don't know about that, there is a jacuzzi upstairs.", "Is there a pool?", "en", "clinic"),
        ("Dạ cái đó em không rõ, bên em có bồn sục ạ.", "Có hồ bơi không?", "vi", "clinic"),
        ("Про бассейн я не знаю, у нас есть сауна.", "Есть бассейн?", "ru", "hotel"),
        ("泳池我不清楚，我们有桑拿。", "有泳池吗？", "zh", "hotel"),
        ("Dạ Chủ nhật bên em nghỉ nhưng có y tá túc trực ạ.", "Chủ nhật làm không?", "vi", "clinic"),
        ("狗不行，不过鹦鹉可以。", "可以带狗吗？", "zh", "hotel"),
        ("Ужинаем мы на веранде.", "Где завтрак?", "ru", "hotel"),
        ("That is fine, no worries.", "Can I bring my dog?", "en", "hotel"),
        ("С хомяком проблем не будет.", "Можно с кошкой?", "ru", "hotel"),
        ("Dạ bên em có thuốc tê, không đau chút nào ạ.", "Nhổ răng đau không?", "vi", "clinic"),
    ],
)
def test_a_claim_beside_a_denial_is_held_to_the_facts(clause: str, asked: str, code: str, agent: str) -> None:
    assert model(clause, asked, code, agent) != ""


@pytest.mark.parametrize(
    ("clause", "asked", "code", "broken"),
    [
        ("A crown is over 10 dollars.", "How much is a crown?", "en", "price"),
        ("A crown is over 200 dollars.", "Is a crown over 200 dollars?", "en", ""),
        ("The filling does.", "Which costs more, a filling or a crown?", "en", "superlative"),
        ("The crown does.", "Which costs more, a filling or a crown?", "en", ""),
        ("The crown is.", "Which is cheaper, a filling or a crown?", "en", "superlative"),
        ("The crown does, by 200 dollars.", "Which costs more, a filling or a crown?", "en", ""),
        ("The crown does, by 190 dollars.", "Which costs more, a filling or a crown?", "en", "price"),
        ("Dạ trám răng ạ.", "Trám răng với tẩy trắng cái nào mắc hơn?", "vi", "superlative"),
        ("Tuesday is completely free.", "Is Tuesday free?", "en", "free_time"),
        ("Dạ thứ Ba trống nguyên ngày ạ.", "Thứ Ba trống không?", "vi", "free_time"),
    ],
)
def test_what_an_answer_leaves_out_or_goes_beyond_is_held_to_the_facts(
    clause: str, asked: str, code: str, broken: str
) -> None:
    assert model(clause, asked, code) == broken


def test_a_sum_may_be_told_without_its_currency_and_for_days() -> None:
    assert model("Это обойдётся в десять тысяч четыреста.", "Две ночи в двухместном?", "ru", "hotel") == ""
    assert model("Это обойдётся в девять тысяч.", "Две ночи в двухместном?", "ru", "hotel") != ""
    assert model("Thirty-five plus fifty, so eighty-five for the two.", "A cleaning and a filling?", "en") == ""
    assert model("Thirty-five plus sixty, so ninety-five for the two.", "A cleaning and a filling?", "en") != ""
    assert model("Whitening takes 30 minutes longer.", "Is whitening longer than a filling?", "en") == ""
    assert model("Whitening takes 40 minutes longer.", "Is whitening longer than a filling?", "en") == "duration"
    assert model("Двухместный дороже на тысячу семьсот.", "Какая разница в цене?", "ru", "hotel") == ""
    assert model("Двухместный дороже на тысячу шестьсот.", "Какая разница в цене?", "ru", "hotel") != ""
    assert model("На троих завтрак выйдет в 2100 рублей.", "Завтрак на троих?", "ru", "hotel") == ""
    assert model("双人间一晚四百二。", "双人间多少钱？", "zh", "hotel") == ""
    assert model("双人间一晚四百三。", "双人间多少钱？", "zh", "hotel") != ""
    assert model("Dạ phòng đơn là một triệu một đêm ạ.", "Phòng đơn bao nhiêu?", "vi", "hotel") == ""
    assert model("Dạ hai người ba ngày là 1200000 đồng ạ.", "Ăn sáng hai người ba ngày?", "vi", "hotel") == ""
    assert model("Dạ hai người ba ngày là 1300000 đồng ạ.", "Ăn sáng hai người ba ngày?", "vi", "hotel") != ""


def test_what_a_sentence_only_names_waits_for_what_it_says_of_it() -> None:
    said, asked = "Whether there is a guarantee, I have no idea.", "Is there a guarantee?"
    assert model(said, asked) == ""
    evidence = Evidence(caller=(asked,), now=NOW, is_written_by_model=True)
    assert GUARDS["clinic"].check("Whether there is a guarantee,", language="en", evidence=evidence).may_mend
