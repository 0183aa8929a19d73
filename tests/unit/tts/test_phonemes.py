from collections.abc import Sequence

from services.tts.vits.phonemes import phoneme_ids, split_words

IDS = {character: [number] for number, character in enumerate("_^$ ,.?abcdefghijklmnopqrstuvwxyz")}
PAD, BEGIN, END, SPACE, COMMA, STOP = range(6)


def letters(texts: Sequence[str], _language: str = "") -> list[str]:
    """A phonemizer whose phonemes are the letters."""
    return [
        "".join(character for character in text.lower() if character.isalpha() or character == " ") for text in texts
    ]


def test_every_id_is_followed_by_padding_between_begin_and_end() -> None:
    assert phoneme_ids("ab.", letters, IDS).ids == (BEGIN, PAD, 7, PAD, 8, PAD, STOP, PAD, END)


def test_marks_of_phrases_are_spoken_as_pauses() -> None:
    ids = phoneme_ids("a, b", letters, IDS).ids
    assert ids == (BEGIN, PAD, 7, PAD, COMMA, PAD, SPACE, PAD, 8, PAD, END)


def test_phonemes_the_voice_does_not_know_are_left_out() -> None:
    assert phoneme_ids("aßb", letters, IDS).ids == (BEGIN, PAD, 7, PAD, 8, PAD, END)


def test_words_end_at_their_last_phoneme_and_a_phrase_behind_its_mark() -> None:
    read = phoneme_ids("ab cd, ef", letters, IDS)
    at = {offset: read.ids[index - 2 : index] for offset, index in read.word_ends}
    assert at == {2: (8, PAD), 6: (COMMA, PAD), 9: (12, PAD)}


def test_words_between_spaces_are_taken_as_they_are() -> None:
    assert split_words("wˈʌn tˈuː", ["wˈʌn", "tˈuː"]) == [4, 9]


def test_words_said_as_one_are_split_in_proportion() -> None:
    ends = split_words("wˈʌn ʌvðə pˈeɪʃənts", ["wˈʌn", "ʌv", "ðə", "pˈeɪʃənts"])
    assert ends == [4, 7, 9, 19]


def test_a_word_said_as_several_keeps_them_all() -> None:
    assert split_words("ðɪ ˈeɪ tˈiː ˈɛm nˈaʊ", ["ðə", "ˌeɪtˌiːˈɛm", "nˈaʊ"]) == [2, 15, 20]


def test_a_word_without_a_sound_takes_none() -> None:
    assert split_words("ab cd", ["ab", "", "cd"]) == [2, 2, 5]
