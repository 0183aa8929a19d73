import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audio.pcm import AudioFormat, Encoding, decode
from services.language.reading.normalizer import Normalizer
from services.tts.engine import Speech, WordEnd
from services.tts.ready import Mark
from services.tts.sentences import Clause, SpeechParameters
from services.tts.track import Chunk, ChunkLengths, Track
from tests.unit.tts.voices import RATE, SAMPLES_PER_CHAR, loud, word_ends

TELEPHONE = AudioFormat(Encoding.MULAW, 8000)
WIDE = AudioFormat(Encoding.LINEAR16, 24000)
PARAMETERS = SpeechParameters("en-US", "plain", 1.0)


def spoken(
    *texts: str,
    audio_format: AudioFormat = TELEPHONE,
    measures_words: bool = True,
    piece: int = 1000,
    lead_silence: int = 0,
    pause_ms: int = 100,
    rest: str = "",
    later_ms: int = 60,
    longest_ms: int = 0,
) -> list[Mark | Chunk]:
    """All that a track gives for clauses of 20 ms a character."""
    track = Track(audio_format, ChunkLengths(20, later_ms, longest_ms))
    out: list[Mark | Chunk] = []
    at = 0
    for text in texts:
        clause = Clause(text, at, PARAMETERS)
        line = Normalizer().speak(text, "en-US")
        track.begin_clause(clause, line, sample_rate_hertz=RATE, measures_words=measures_words, pause_ms=pause_ms)
        sound = np.concatenate(
            (np.zeros(lead_silence, dtype=np.int16), loud(len(line.text.rstrip()) * SAMPLES_PER_CHAR))
        )
        ends = tuple(WordEnd(end, lead_silence + end * SAMPLES_PER_CHAR) for end in word_ends(line.text))
        for begin in range(0, len(sound), piece):
            out += track.push(Speech(sound[begin : begin + piece], ends if measures_words and not begin else ()))
        out += track.end_clause()
        at = clause.end_offset
    return out + track.finish(at + len(rest))


def chunks(out: list[Mark | Chunk]) -> list[Chunk]:
    return [one for one in out if isinstance(one, Chunk)]


def marks(out: list[Mark | Chunk]) -> list[Mark]:
    return [one for one in out if isinstance(one, Mark)]


def test_chunks_follow_each_other_without_a_gap() -> None:
    at = 0
    for chunk in chunks(spoken("Hello there. ", "How are you?")):
        assert chunk.start_sample == at
        assert chunk.n_samples == len(chunk.content)
        at += chunk.n_samples


def test_the_first_chunk_is_short_and_none_is_out_of_bounds() -> None:
    lengths = [chunk.n_samples for chunk in chunks(spoken("Hello there. ", "How are you?"))]
    assert lengths[0] == 160
    assert all(80 <= length <= 800 for length in lengths)


def test_what_is_made_already_goes_in_long_chunks() -> None:
    lengths = [chunk.n_samples for chunk in chunks(spoken("Hello there my friend", piece=10**6, longest_ms=200))]
    assert lengths == [160, 1600, 1440, 160]


def test_no_chunk_waits_for_sound_that_is_not_made_yet() -> None:
    at_once = [chunk.n_samples for chunk in chunks(spoken("Hello there my friend", piece=300, longest_ms=200))]
    assert max(at_once[:-1]) == 480


@pytest.mark.parametrize("audio_format", [TELEPHONE, AudioFormat(Encoding.LINEAR16, 16000), WIDE])
def test_words_are_marked_where_the_engine_measured_them(audio_format: AudioFormat) -> None:
    found = marks(spoken("Hello dear friend", audio_format=audio_format))
    rate = audio_format.sample_rate_hertz
    assert [mark.text_end_offset for mark in found] == [5, 10, 17]
    assert all(mark.is_measured for mark in found)
    for mark in found:
        assert mark.end_sample / rate == pytest.approx(mark.text_end_offset * 0.02, abs=0.006)


def test_silence_that_is_cut_shifts_the_marks() -> None:
    first = marks(spoken("Hello dear friend", lead_silence=1600))[0]
    assert first.end_sample == pytest.approx(5 * SAMPLES_PER_CHAR, abs=RATE // 100)


def test_a_rewritten_word_is_marked_behind_the_last_of_its_words() -> None:
    found = marks(spoken("Pay $5 now"))  # "Pay five dollars now"
    assert [mark.text_end_offset for mark in found] == [3, 6, 10]
    assert found[1].end_sample == pytest.approx(16 * SAMPLES_PER_CHAR, abs=50)


def test_between_clauses_there_is_a_pause_of_silence() -> None:
    out = spoken("Hi. ", "Bye.", pause_ms=100)
    sound = np.concatenate([decode(TELEPHONE, chunk.content) for chunk in chunks(out)])
    end = marks(out)[0].end_sample
    assert np.abs(sound[end : end + 780].astype(np.int32)).max() < 50
    assert np.abs(sound[end + 780 : end + 960].astype(np.int32)).max() > 1000


def test_an_engine_that_measures_nothing_is_spread_by_length() -> None:
    out = spoken("Hello dear friend. ", "And once more to you.", measures_words=False)
    found = marks(out)
    assert [mark.text_end_offset for mark in found if mark.is_measured] == [19, 40]
    guessed = [mark for mark in found if not mark.is_measured]
    second = [mark for mark in guessed if mark.text_end_offset > 19]
    assert len(second) == 4
    start = found[[mark.text_end_offset for mark in found].index(19)].end_sample + 800
    for mark in second:  # the first clause taught the pace
        assert mark.end_sample - start == pytest.approx((mark.text_end_offset - 19) * SAMPLES_PER_CHAR, abs=300)


def test_a_guessed_word_lies_in_the_sound_and_not_in_the_silence_that_is_cut_before_it() -> None:
    track = Track(TELEPHONE, ChunkLengths(20, 60))
    text = "I would like an appointment."
    clause = Clause(text, 0, PARAMETERS)
    track.begin_clause(
        clause, Normalizer().speak(text, "en-US"), sample_rate_hertz=RATE, measures_words=False, pause_ms=0
    )
    silence = np.zeros(RATE // 2, dtype=np.int16)
    sound = (8000 * np.sin(np.arange(RATE * 2) * 0.3)).astype(np.int16)
    out = track.push(Speech(np.concatenate((silence, sound)), is_whole=True)) + track.end_clause()
    n_sent = 0
    for one in out:
        if isinstance(one, Chunk):
            n_sent += one.n_samples
        else:
            assert one.end_sample > n_sent
    places = [mark.end_sample for mark in marks(out)]
    assert len(places) == 5
    assert max(np.diff([0, *places])) < n_sent * 0.6, "they are spread over the sound"


def test_what_follows_the_last_word_is_marked_at_the_end() -> None:
    out = spoken("Hello. ", rest="🙂")
    assert isinstance(out[-1], Chunk)
    mark = marks(out)[-1]
    assert mark.text_end_offset == 8
    assert mark.end_sample == out[-1].start_sample + out[-1].n_samples


def test_a_clause_of_silence_still_has_its_place() -> None:
    track = Track(TELEPHONE, ChunkLengths(20, 60))
    clause = Clause("Hm.", 0, PARAMETERS)
    track.begin_clause(
        clause, Normalizer().speak("Hm.", "en-US"), sample_rate_hertz=RATE, measures_words=False, pause_ms=0
    )
    track.push(Speech(np.zeros(800, dtype=np.int16)))
    mark, chunk = track.end_clause()
    assert isinstance(mark, Mark)
    assert isinstance(chunk, Chunk)
    assert mark.text_end_offset == 3


@given(
    st.lists(st.sampled_from(["Hi. ", "It is $5, ok? ", "One two three ", "a\n"]), min_size=1, max_size=4),
    st.booleans(),
    st.integers(7, 3000),
    st.sampled_from([TELEPHONE, WIDE]),
    st.tuples(st.sampled_from(["", " 🙂"]), st.sampled_from([10, 40, 100]), st.sampled_from([0, 100, 400])),
)
def test_every_mark_leaves_before_the_chunk_that_holds_its_last_sample(
    texts: list[str], measures_words: bool, piece: int, audio_format: AudioFormat, ending: tuple[str, int, int]
) -> None:
    rest, later_ms, longest_ms = ending
    out = spoken(
        *texts,
        measures_words=measures_words,
        piece=piece,
        audio_format=audio_format,
        rest=rest,
        later_ms=later_ms,
        longest_ms=longest_ms,
    )
    sent, last_offset, last_sample = 0, 0, 0
    for one in out:
        if isinstance(one, Chunk):
            assert one.start_sample == sent
            sent += one.n_samples
            assert one.n_samples * 1000 <= max(100, longest_ms) * audio_format.sample_rate_hertz
            assert one.n_samples * 1000 >= 10 * audio_format.sample_rate_hertz
        else:
            assert one.end_sample > sent
            assert one.text_end_offset > last_offset
            assert one.end_sample >= last_sample
            last_offset, last_sample = one.text_end_offset, one.end_sample
    assert last_offset == len("".join(texts) + rest)
    assert last_sample <= sent
