"""Loading by each service: it is all that the service's calls need, and hostile text costs no call its time."""

import re
import time
from collections.abc import Callable, Iterator

import pytest

import services.nlu.__main__ as nlu
import services.stt_proxy.__main__ as stt_proxy
import services.tts.__main__ as tts
from services.call_gateway.conversation.barge_in import backchannels, is_stop_command, stop_commands
from services.language import data, plain_toml
from services.language.claims import honest_sentence
from services.language.numerals import find_numbers
from services.language.reading.normalizer import Normalizer, Pronunciation
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.ending import agent_ends, caller_ends, offer
from services.nlu.agent.language import reply_language
from services.nlu.agent.outcomes import OutcomeKind, words_of
from services.nlu.agent.phrases import expected_after
from services.nlu.clauses import ClauseCutter
from services.stt_proxy.end_of_turn.evidence import Evidence
from services.stt_proxy.end_of_turn.judging import judge
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.engine import Hints
from services.stt_proxy.inventions import is_invented
from services.stt_proxy.phrasebook import phrasebook_of
from services.stt_proxy.repeats import cut_repeats
from services.tts.sentences import ClauseGatherer, SpeechParameters

TAGS = ("en-US", "en-GB", "vi-VN", "ru-RU", "zh-CN", "de", "x-klingon")
TEXT = "Dr. Nguyễn said: wait... 我想预约明天, если можно, at 10/11 for $20? No, bye. Hai mươi lăm, two hundred"
LEXICON = [Pronunciation(f"word{number}", f"said {number}") for number in range(500)]

Use = Callable[[str, str], object]


def gathered(text: str, tag: str) -> object:
    gatherer = ClauseGatherer()
    return [*gatherer.append(text, SpeechParameters(tag, "", 1.0)), *gatherer.flush()]


def cut(text: str, _: str) -> object:
    cutter = ClauseCutter()
    return [*cutter.push(text), *cutter.finish()]


SERVICES: dict[str, tuple[Callable[[], object], list[Use]]] = {
    "call_gateway": (
        lambda: (backchannels(), stop_commands()),
        [lambda text, _: normalise(text) in backchannels(), lambda text, _: is_stop_command(normalise(text))],
    ),
    "stt_proxy": (
        stt_proxy.load_languages,
        [
            lambda text, tag: judge(Evidence(text, phrasebook_of(tag), Hints()), Waits()),
            lambda text, tag: is_invented(text, tag, 0.1, 0.1),
            cut_repeats,
        ],
    ),
    "nlu": (
        nlu.load_knowledge,
        [
            cut,
            lambda text, tag: caller_ends(text, last_heard=text, language_code=tag),
            lambda text, tag: agent_ends(text, language_code=tag),
            lambda text, tag: expected_after(text, language_code=tag),
            lambda text, tag: reply_language(text, detected=tag, current="en-US", spoken=("en-US", "vi-VN")),
            find_numbers,
            read_values,
            lambda _, tag: (offer(tag), honest_sentence(tag), [words_of(kind, tag) for kind in OutcomeKind]),
        ],
    ),
    "tts": (tts.load_languages, [gathered, lambda text, tag: Normalizer(LEXICON).speak(text, tag)]),
}


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The files read and patterns compiled from here on."""
    data.forget()
    read, compile_ = plain_toml.loads, re._compiler.compile  # type: ignore[attr-defined]  # beneath re's own cache
    found: list[str] = []

    def loads(text: str) -> dict[str, object]:
        found.append(text[:40])
        return read(text)

    def compiled(pattern: object, flags: int = 0) -> object:
        found.append(str(pattern)[:40])
        return compile_(pattern, flags)

    monkeypatch.setattr(plain_toml, "loads", loads)
    monkeypatch.setattr(re._compiler, "compile", compiled)  # type: ignore[attr-defined]
    re.purge()
    yield found
    monkeypatch.undo()
    data.forget()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_has_loaded_reads_and_compiles_nothing_in_a_call(name: str, done: list[str]) -> None:
    load, uses = SERVICES[name]
    load()
    assert done, "the fixture sees what loading does"
    re.purge()
    done.clear()
    for tag in TAGS:
        for use in uses:
            use(TEXT, tag)
    assert done == []


LONGEST_TEXT = 4000  # code points, which NLU_MAX_TURN_TEXT_CHARS lets through
MOST_CPU_S = 0.4  # of one thread, the best of three; what grew with the square of a text took up to 30 s
HOSTILE = (
    *("a", "7", ".", "…", "。", "?!", ",", '")', " ", "\n", "\u0301", "_", "一", "— ", "1.", "A.", "a.", "1:", "1/"),
    *("1-", "a'", "a-", "$1", "1%", "+1", "(1)", "no ", "7 ", ". ", "bye ", "bye, ", "one hundred ", "www.", "a@"),
    *("5😀", "1h", "10:30 ", "1,000", "a=b&", "http://a", "và ", "not "),
)
LONGEST_SPEECH = 1200  # code points that a recogniser writes of half a minute


def cpu_s(use: Use, text: str, tag: str) -> float:
    """The cost of one use, in seconds of the processor."""
    began = time.thread_time()
    use(text, tag)
    return time.thread_time() - began


@pytest.mark.parametrize(
    ("name", "use", "length"),
    [
        (name, use, LONGEST_SPEECH if name == "stt_proxy" else LONGEST_TEXT)
        for name, (_, uses) in SERVICES.items()
        for use in uses
        if name != "tts" or use is gathered  # a clause is read, not a whole text
    ],
)
@pytest.mark.parametrize("tag", ["en-US", "zh-CN"])
def test_no_text_costs_more_than_in_proportion_to_its_length(name: str, use: Use, length: int, tag: str) -> None:
    SERVICES[name][0]()
    slow = {}
    for unit in HOSTILE:
        text = (unit * length)[: length - 1] + "n"  # no whole number of times
        took_s = min(cpu_s(use, text, tag) for _ in range(3))  # a collection of garbage is not the text's fault
        if took_s > MOST_CPU_S:
            slow[unit] = round(took_s, 2)
    assert slow == {}


def test_pieces_of_any_size_cost_no_more() -> None:
    for unit in ("…", "1.", ". ", "a", "😀", "_", "and "):
        text = (unit * LONGEST_TEXT)[:LONGEST_TEXT]
        cutter, gatherer = ClauseCutter(), ClauseGatherer()
        began, pieces = time.thread_time(), [text[at : at + 4] for at in range(0, len(text), 4)]
        cuts = [clause.text for piece in pieces for clause in cutter.push(piece)]
        parameters = SpeechParameters("en-US", "", 1.0)
        clauses = [clause.text for piece in pieces for clause in gatherer.append(piece, parameters)]
        took_s = time.thread_time() - began
        assert "".join([*cuts, *(clause.text for clause in cutter.finish())]) == text
        assert text.startswith("".join(clauses))
        assert took_s < 2 * MOST_CPU_S, unit


def test_wide_words_are_counted_as_before() -> None:
    """A reply in Chinese is cut where the commas are."""
    reply = "我们星期一到星期五都开门，时间是早上九点到下午五点，周末休息。您要预约吗？"
    cutter = ClauseCutter()
    whole = [clause.text for clause in (*cutter.push(reply), *cutter.finish())]
    assert whole[0] == "我们星期一到星期五都开门，"
    assert whole[-1] == "您要预约吗？"
    assert "".join(whole) == reply
