import pytest

from services.stt_proxy.end_of_turn.evidence import Doubt, Evidence, Judgement, PausingHabit, Reason
from services.stt_proxy.end_of_turn.judging import judge
from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.phrasebook import phrasebook_of
from tests.unit.stt_proxy.judged_texts import OPEN, WAITS, expecting, judged

WHOLE = {
    "en": [
        "I would like to make an appointment.",
        "What time is it?",
        "Where are you calling from?",
        "Tomorrow at ten, please.",
        "I don't think that works for me",
        "That's about it.",
        "If it rains I will stay home, thanks.",
        "I would like to make an appointment",
        "I don't know where they are.",
        "What is it for?",
        "Please come in.",
        "Can you put me through?",
        "I can come on Monday, Tuesday, or Friday.",
    ],
    "vi": [
        "Tôi muốn đặt lịch hẹn.",
        "Ngày mai phòng khám có mở cửa không?",
        "Bao nhiêu tiền vậy?",
        "Tuần tới được không ạ",
        "Tôi bị đau răng",
        "Dạ cảm ơn em.",
        "Thứ hai hoặc thứ ba.",
    ],
    "ru": [
        "Я хочу записаться на приём.",
        "Сколько это стоит?",
        "Запишите меня на завтра",
        "Спасибо, пока.",
    ],
    "zh": ["我想预约明天上午", "请问多少钱？", "你们几点开门"],
}

UNFINISHED = {
    "en": [
        "I would like to",
        "I would like to make an appointment and",
        "My name is",
        "I'm calling about the",
        "Um,",
        "Uh",
        "I was wondering if",
        "Well, I",
        "Yes, but",
        "The code is.",
        "Our new address will be",
        "I'm looking for a dentist who.",
        "I was hoping to see.",
        "I want to come.",
        "Can you tell me?",
        "I have a problem with",
        "He said that.",
        "My telephone number.",
        "It's on Tuesday or...",
        "When I came in last week",
        "Because my tooth hurts",
        "I need to see someone about my",
        "Hello, can you",
    ],
    "vi": [
        "Tôi muốn",
        "Cho tôi hỏi là",
        "Tôi bị đau răng và",
        "Ờ",
        "Nếu ngày mai trời mưa",
        "Tên tôi là",
        "Dạ em",
        "Tôi đến vào lúc",
        "Tôi muốn đổi lịch vì",
    ],
    "ru": [
        "Я хочу",
        "Меня зовут",
        "Мне нужно записаться на",
        "Э",
        "Если завтра будет дождь",
        "Да, но",
        "Здравствуйте, я",
    ],
    "zh": ["我想", "请问", "如果明天下雨", "我叫", "嗯，我", "因为我牙疼", "我想预约明天或者"],
}


@pytest.mark.parametrize(("language", "text"), [(code, text) for code, texts in WHOLE.items() for text in texts])
def test_a_finished_sentence_ends_soon(language, text):
    verdict = judged(text, language)
    assert verdict.reason in (Reason.COMPLETE, Reason.CONCLUDED)
    assert verdict.wait_ms == 256
    assert verdict.probability > 0.5


def test_where_a_languages_model_weighed_the_words_its_own_probability_is_told():
    told = [judged(text, "en").probability for text in WHOLE["en"]]
    assert len(set(told)) > 1
    assert all(0.5 <= probability <= 1.0 for probability in told)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("vi", "Em muốn đặt lịch ạ"),
        ("vi", "Mai em qua nhé"),
        ("zh", "可以明天来吗"),
        ("en", "What time do you close?"),
        ("en", "and how much is a cleaning."),
    ],
)
def test_a_question_or_a_closing_particle_ends_soon(language, text):
    assert judged(text, language).wait_ms == 256


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I need a new"),
        ("en", "between nine and"),
        ("vi", "Em muốn đặt lịch vào"),
        ("ru", "Я хочу записаться на"),
        ("zh", "我的电话是"),
    ],
)
def test_a_word_class_that_leads_on_leaves_a_sentence_open(language, text):
    assert judged(text, language).reason is Reason.UNFINISHED


@pytest.mark.parametrize(("language", "text"), [(code, text) for code, texts in UNFINISHED.items() for text in texts])
def test_a_plainly_unfinished_one_waits(language, text):
    verdict = judged(text, language)
    assert (verdict.reason, verdict.wait_ms) == (Reason.UNFINISHED, 1200)
    assert verdict.probability < 0.5


CONCLUDED = {
    "en": ["Tomorrow at ten, please.", "What time do you open?", "Okay, that's all, thank you."],
    "vi": ["Chiều mai nhé", "Cho em lịch thứ ba nha", "Phòng khám còn mở cửa không ạ", "Giúp em với ạ"],
    "ru": ["Сколько стоит чистка"],
    "zh": ["明天上午可以吗", "就这样吧，谢谢"],
}

MAY_GO_ON = {
    "en": [
        "Hello",
        "Hi, good morning",
        "My insurance company",  # no verb
        "The tooth on the upper left",
        "There's a problem",
    ],
    "vi": ["Alo, chào em", "Con gái tôi", "Phòng khám của mình"],
    "ru": ["Здравствуйте", "Моя страховая компания"],
    "zh": ["你好", "我的保险"],
}

OPEN_BY_STRUCTURE = {
    "en": [
        "I called because my husband",  # a clause without its verb
        "I lost a crown and I just",  # a pronoun and an adverb
        "If you have anything on Thursday before noon or so",  # a subordinate clause alone
        "When the pain gets worse at night",
        "The dentist I saw before",  # a noun and a clause about it
        "I need a new",  # an adjective without its noun
        "I've already tried",  # a verb without its object
        "Could you send me",
        "I'm thinking about getting",
        "Between two and three or between four",  # half of a pair
        "Either Monday",
        "I want to move it from Tuesday",
        "My policy number",  # announced and not said
        "I have a question",
        "What time does",  # a question that has only begun
        "Is the doctor",
        "To be honest",
    ],
    "vi": [
        "Tôi đang",  # a marker without its verb
        "Em xem giúp chị",
        "Bác sĩ dặn tôi",
        "Tôi cần mấy cái",  # a classifier without its noun
        "Tôi đau đến mức",  # a preposition
        "Nếu chiều mai phòng khám còn chỗ trống",  # a subordinate clause alone
        "Vì tôi làm ca đêm",
        "Giữa tuần này",  # half of a pair
        "Số điện thoại của tôi",  # announced and not said
        "Tôi được một người bạn",
    ],
    "ru": [
        "Потому что я",
        "Мне нужен новый",
        "Я хотела бы узнать",
        "Меня беспокоит",
        "Между двумя",
        "Мой номер",
        "Если вам удобно",
    ],
    "zh": ["我对", "我正在", "能不能帮我", "从两点到", "除了周一", "我有一个问题", "医生说"],
}


def each(sentences: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(code, text) for code, texts in sentences.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), each(CONCLUDED))
def test_thanks_questions_and_closing_particles_settle_at_once_whatever_the_habit(language, text):
    verdict = judged(text, language, habit=habit(600, 600))
    assert (verdict.reason, verdict.wait_ms) == (Reason.CONCLUDED, 256)


@pytest.mark.parametrize("text", ["Goodbye.", "Bye!", "Thank you very much. Goodbye."])
def test_a_farewell_ends_a_turn(text):
    assert judged(text).wait_ms == 256


@pytest.mark.parametrize(("language", "text"), each(MAY_GO_ON))
def test_what_often_goes_on_is_waited_for(language, text):
    assert judged(text, language).wait_ms >= (256 + 1200) // 2


@pytest.mark.parametrize(("language", "text"), each(OPEN_BY_STRUCTURE))
def test_an_unfinished_structure_waits(language, text):
    assert judged(text, language).reason is Reason.UNFINISHED


@pytest.mark.parametrize(
    "text",
    [
        "That is hard to find",
        "Please come in",  # a particle, no preposition
    ],
)
def test_what_only_resembles_an_unfinished_structure_is_whole(text):
    assert judged(text).wait_ms == 256


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Yes."),
        ("en", "Yes, please."),
        ("en", "No, thank you."),
        ("en", "Oh, of course."),
        ("en", "That's right"),
        ("vi", "Dạ vâng ạ."),
        ("vi", "Không ạ"),
        ("vi", "Vâng, cảm ơn."),
        ("ru", "Да, конечно."),
        ("ru", "Нет, спасибо"),
        ("zh", "好的，谢谢"),
        ("zh", "是的"),
        ("zh", "不用了"),
    ],
)
def test_an_expected_yes_or_no_is_known_in_the_caller_s_own_language(language, text):
    assert judged(text, language, expecting(ExpectedKind.YES_NO)).reason is Reason.YES_NO


@pytest.mark.parametrize(("language", "text"), [("en", "Yes."), ("en", "No"), ("vi", "Dạ vâng ạ."), ("zh", "是的")])
def test_one_that_was_not_expected_may_go_on_and_is_never_taken_for_unfinished(language, text):
    assert judged(text, language).reason in (Reason.MAY_GO_ON, Reason.COMPLETE, Reason.CONCLUDED)


def test_a_yes_that_goes_on_is_not_just_a_yes():
    text = "Yes, I would like an appointment."
    assert judged(text, hints=expecting(ExpectedKind.YES_NO)).reason is not Reason.YES_NO


@pytest.mark.parametrize("text", [None, "", "  "])
def test_unknown_words_have_a_wait_of_their_own(text):
    assert judged(text) == Judgement(0.3, 700, Reason.NO_TEXT)


def habit(*pauses_ms: int) -> PausingHabit:
    learnt = PausingHabit()
    for pause_ms in pauses_ms:
        learnt.note(pause_ms, is_behind_whole=True)
    return learnt


def test_a_caller_who_pauses_long_is_waited_for():
    assert judged("I would like to make an appointment", habit=habit(400, 450)).wait_ms == 450 + 64


def test_one_long_pause_is_no_habit():
    assert judged("I would like to make an appointment", habit=habit(800)).wait_ms == 256


def test_short_pauses_change_nothing():
    assert judged("I would like to make an appointment", habit=habit(100, 120, 130)).wait_ms == 256


def test_a_single_outlier_among_many_pauses_is_passed_over():
    assert judged("I would like to make an appointment", habit=habit(110, 120, 100, 130, 1500, 110)).wait_ms <= 256


def test_a_habit_has_its_limit():
    assert judged("I would like to make an appointment", habit=habit(1900, 1900)).wait_ms == 900


def test_an_expected_yes_is_taken_at_once_whatever_the_habit():
    assert judged("Yes.", hints=expecting(ExpectedKind.YES_NO), habit=habit(600, 600)).wait_ms == 256


def test_a_language_without_lists_goes_by_punctuation_and_numerals():
    assert judged("Ich möchte einen Termin", "de").reason is Reason.COMPLETE
    assert judged("Ich möchte,", "de-DE").reason is Reason.UNFINISHED
    assert judged("415267", "de", expecting(ExpectedKind.DIGITS, 6)).reason is Reason.DIGITS_COMPLETE


@pytest.mark.parametrize("code", ["../en", "e/n", "", "x" * 1000, "en\x00"])
def test_a_strange_language_tag_is_a_language_without_lists(code):
    assert phrasebook_of(code).language in ("other", "en")


def doubted(text: str, doubt: Doubt, learnt: PausingHabit | None = None, hints: Hints = OPEN) -> Judgement:
    return judge(Evidence(text, phrasebook_of("en"), hints, doubt, learnt or PausingHabit()), WAITS)


def test_a_sentence_the_engine_left_open_waits_half_way():
    judged_open = doubted("I would like to make an appointment", Doubt(is_left_open=True))
    assert judged_open.reason is Reason.UNSURE
    assert (256 + 1200) // 2 <= judged_open.wait_ms < 1000


def test_a_melody_that_goes_on_makes_a_whole_sentence_wait():
    assert doubted("I would like to make an appointment.", Doubt(sounds_over=0.1)).reason is Reason.UNSURE
    assert doubted("I would like to make an appointment.", Doubt(sounds_over=0.9)).reason is Reason.COMPLETE


def test_words_the_engine_is_not_sure_of_are_doubted():
    assert doubted("I would like to make an appointment.", Doubt(confidence=0.6)).reason is Reason.UNSURE
    assert doubted("I would like to make an appointment.", Doubt(confidence=0.9)).reason is Reason.COMPLETE


def test_a_yes_and_an_unfinished_sentence_are_not_doubted():
    doubt = Doubt(is_left_open=True, sounds_over=0.0)
    assert doubted("Yes", doubt, hints=expecting(ExpectedKind.YES_NO)).reason is Reason.YES_NO
    assert doubted("I would like to", Doubt(sounds_over=1.0)).reason is Reason.UNFINISHED


def test_doubt_never_waits_less_than_the_habit():
    assert doubted("I would like to make an appointment", Doubt(is_left_open=True), habit(900, 900)).wait_ms >= 900
