"""Exact capture: the dialogues of tests/data/capture, and each rule by itself."""

import pytest

from services.language.dictation import Dictation
from services.nlu.agent.capture.capturing import Capture
from services.nlu.agent.capture.questions import Captured
from services.nlu.agent.capture.slots import CaptureState, Ended, Slot, SlotKind, as_mapping, read_capture
from services.nlu.outputs import ExpectedKind
from tests.load.capture import Dialogue, as_written, play, read_dialogues

DIALOGUES = read_dialogues()


def test_there_are_thirty_dialogues_and_every_language_has_some() -> None:
    assert len(DIALOGUES) >= 30
    assert {one.language for one in DIALOGUES} == {"en", "vi", "ru", "zh"}


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=[one.name for one in DIALOGUES])
async def test_a_dialogue_ends_with_what_the_caller_gave(dialogue: Dialogue) -> None:
    played = await play(dialogue, as_written)
    assert (played.value, played.ended.value, played.missing) == (
        dialogue.captured,
        "captured" if dialogue.captured else "human",
        (),
    ), "\n".join(played.lines)


@pytest.mark.parametrize(
    ("language", "said", "digits"),
    [
        ("en", "double four triple seven oh", "447770"),
        ("en", "nine twelve, thirty-four fifty six", "9123456"),
        ("en", "five hundred twelve, two thousand", "5122000"),
        ("en", "oh, I see", ""),
        ("vi", "không chín mươi mốt, hai lăm", "09125"),
        ("vi", "ba số không tám", "0008"),
        ("vi", "tám trăm linh năm, chín lẻ hai", "805902"),
        ("vi", "dạ không ạ", ""),
        ("vi", "năm mươi tư", "54"),
        ("ru", "девятьсот шестнадцать, сто двадцать три, семь", "9161237"),
        ("ru", "двести, сорок пять, ноль один, триста семь", "2004501307"),
        ("zh", "零九一二，一百三十八，幺", "09121381"),
    ],
)
def test_digits_are_read_as_they_are_dictated(language: str, said: str, digits: str) -> None:
    assert Dictation(language).digits(said) == digits


def capture(kind: SlotKind, language: str = "en", region: str = "VN", **fields: object) -> Capture:
    return Capture(Slot.model_validate({"name": "slot", "kind": kind, **fields}), language, region=region)


def talk(one: Capture, *said: str) -> Captured:
    now = one.open()
    for text in said:
        now = one.take(now.state, text)
    return now


@pytest.mark.parametrize("kind", list(SlotKind))
@pytest.mark.parametrize(
    "said", ["blue as the sky?", "no", "zzz ... ,,", "", "one", "@@@ @@@", "9" * 400, "at at dot dot"]
)
@pytest.mark.parametrize("language", ["en", "vi", "ru", "zh"])
def test_no_capture_goes_on_for_ever(kind: SlotKind, said: str, language: str) -> None:
    one = capture(kind, language)
    now, questions = one.open(), []
    for _ in range(100):
        questions.append(now.text)
        now = one.take(now.state, said)
        if now.state.ended:
            break
    assert now.state.ended
    assert all(questions.count(question) <= 2 for question in questions if "Go on" not in question and len(said) > 3)


def test_a_number_that_is_none_is_said_again_and_asked_for_otherwise() -> None:
    now = talk(capture(SlotKind.PHONE), "0112 345 678")
    assert "0 1 1 2, 3 4 5, 6 7 8: I know no such telephone number." in now.text
    assert now.state.step == "groups"


def test_the_recogniser_is_told_what_to_expect() -> None:
    phone = capture(SlotKind.PHONE)
    now = phone.open()
    assert (now.expected.kind, now.expected.length) == (ExpectedKind.DIGITS, 10)
    now = phone.take(now.state, "0912")
    assert now.expected.length == 6
    assert phone.take(now.state, "345 678").expected.kind is ExpectedKind.YES_NO
    assert talk(capture(SlotKind.NAME), "Anna", "no").expected.kind is ExpectedKind.SPELLING


@pytest.mark.parametrize(
    ("region", "said", "groups"),
    [("VN", "0912345678", "0 9 1 2, 3 4 5, 6 7 8"), ("US", "6502530001", "6 5 0, 2 5 3, 0 0 0 1")],
)
def test_digits_are_read_back_as_their_region_groups_them(region: str, said: str, groups: str) -> None:
    assert talk(capture(SlotKind.PHONE, region=region), said).read_back == groups


@pytest.mark.parametrize(
    ("language", "said", "address"),
    [
        ("en", "Could you send it to mary dot lee at example dot com", "mary.lee@example.com"),
        ("en", "ann at, er, shop dash first dot net please", "ann@shop-first.net"),
        ("en", "ann at gmail dot com, no sorry, hotmail dot com", "ann@hotmail.com"),
        ("vi", "Anh gửi qua minh chấm le a còng, à, cong ty chấm vn nhé", "minh.le@congty.vn"),
    ],
)
def test_an_address_begins_behind_the_words_that_lead_to_it(language: str, said: str, address: str) -> None:
    assert talk(capture(SlotKind.EMAIL, language), said).state.value == address


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("No, it's shops.", "ann.lee@shops.net"),
        ("No, ann dot leigh.", "ann.leigh@shop.net"),
        ("No, shop dot com.", "ann.lee@shop.com"),
    ],
)
def test_a_part_of_an_address_is_said_again(said: str, address: str) -> None:
    now = talk(capture(SlotKind.EMAIL), "ann dot lee at shop dot net", said)
    assert (now.state.is_confirming, now.state.value) == (True, address)


@pytest.mark.parametrize("said", ["Yeah, that's the one.", "That's it.", "You got it", "Yes, that's good, thanks."])
def test_a_yes_may_have_words_that_could_be_digits(said: str) -> None:
    assert talk(capture(SlotKind.PHONE), "0912 345 678", said).value == "0912345678"


def test_a_name_that_is_spelled_as_it_was_heard_is_read_back_letter_by_letter() -> None:
    now = talk(capture(SlotKind.NAME), "Keane.", "No, K E A N E.")
    assert (now.state.is_confirming, now.state.value) == (True, "Keane")
    assert "E as in Echo" in now.text


@pytest.mark.parametrize("said", ["No. 1 2 3 4", "No, I'm in Elf, 1, 2, 3, 4.", "No.", "No, 1 2"])
def test_a_piece_that_is_heard_wrongly_again_and_again_ends(said: str) -> None:
    one = capture(SlotKind.CODE, pattern="[A-Z]{2}[0-9]{4}", min_length=6, max_length=6)
    now, turns = one.take(one.open().state, "1 2 3 4"), 0
    while not now.state.ended and turns < 40:
        now, turns = one.take(now.state, said), turns + 1
    assert now.state.ended
    assert turns <= 12, "two tries of each way to ask, and two of each read-back"


def test_keys_end_a_number_at_any_step() -> None:
    one = capture(SlotKind.PHONE)
    now = one.take(one.open().state, "0912345678#", is_keys=True)
    assert one.take(now.state, "yes").value == "0912345678"


def test_what_was_captured_is_remembered_as_json_and_read_again() -> None:
    state = talk(capture(SlotKind.PHONE), "0912").state
    assert read_capture(as_mapping(state)) == state
    assert read_capture({"slot": "phone", "step": "sideways"}) is None
    assert read_capture({"value": "1"}) is None


def test_a_code_of_digits_alone_may_be_keyed() -> None:
    slot = Slot(name="pin", kind=SlotKind.CODE, pattern=r"\d{4}", min_length=4, max_length=4)
    assert slot.is_numeric
    assert CaptureState("pin").ended is Ended.NO
    assert not Slot(name="pin", kind=SlotKind.CODE, pattern="[A-F]{4}").is_numeric


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("One digit's wrong: it's seven six five, not seven five five.", "0918765432"),
        ("it's seven six five, not seven five five", "0918765432"),
        ("not seven five five but seven six five", "0918765432"),
    ],
)
def test_digits_are_put_right_whatever_is_said_before_them(said: str, value: str) -> None:
    capture = Capture(Slot(name="phone", kind=SlotKind.PHONE), "en", region="VN")
    assert capture.corrected(said, "0918755432") == value


def test_a_piece_that_is_said_again_is_no_progress() -> None:
    capture = Capture(Slot(name="phone", kind=SlotKind.PHONE), "en", region="VN")
    taken = capture.open()
    texts = []
    for _ in range(4):
        taken = capture.take(taken.state, "0912 34")
        texts.append(taken.text)
    assert texts[0] == "Go on, please."
    assert len(set(texts)) == 4
