"""Keyword spotting: the phrases of the hints, looked for in every text of a call.

A phrase is told once for each utterance, behind the first text that has all its words in a row. The last word of a
partial text may be the beginning of a longer one ("Ann" of "Annabel"): a phrase that ends there counts when the next
text of the utterance still has it.
"""

from collections.abc import Iterator

from services.language.words import normalise
from services.stt_proxy.events import Keyword, TextStage, Transcript

REMEMBERED_UTTERANCES = 16  # late texts correct no older one

Words = tuple[str, ...]


class KeywordSpotter:
    """Keywords of one call."""

    def __init__(self) -> None:
        self._phrases: tuple[str, ...] = ()
        self._by_first_word: dict[str, list[tuple[Words, str]]] = {}
        self._told: dict[int, set[str]] = {}  # by utterance
        self._doubtful: dict[int, set[str]] = {}  # by utterance: at the very end of its last partial text

    def spot(self, text: Transcript, phrases: tuple[str, ...]) -> Iterator[Keyword]:
        """Yield the phrases that the text has and that were not told of its utterance."""
        if not phrases:
            return
        if phrases is not self._phrases:
            self._prepare(phrases)
        told = self._told.setdefault(text.utterance_id, set())
        before = self._doubtful.pop(text.utterance_id, set())
        for phrase, is_last in self._found(normalise(text.text)):
            if phrase in told:
                continue
            if is_last and text.stage is TextStage.PARTIAL and phrase not in before:
                self._doubtful.setdefault(text.utterance_id, set()).add(phrase)
                continue
            told.add(phrase)
            yield Keyword(text.utterance_id, phrase, text.end_sample, text.stage, text.confidence)
        self._forget_old(text.utterance_id)

    def forget(self, utterance_id: int) -> None:
        """Nothing of the utterance was said: its phrases are told when they come again."""
        self._told.pop(utterance_id, None)
        self._doubtful.pop(utterance_id, None)

    def _prepare(self, phrases: tuple[str, ...]) -> None:
        self._phrases, self._by_first_word = phrases, {}
        for phrase in phrases:
            if words := normalise(phrase):
                self._by_first_word.setdefault(words[0], []).append((words, phrase))

    def _found(self, words: Words) -> list[tuple[str, bool]]:
        """The phrases in the words, in order, each with whether it ends with the last word."""
        found: list[tuple[str, bool]] = []
        for at, word in enumerate(words):
            for wanted, phrase in self._by_first_word.get(word, ()):
                end = at + len(wanted)
                if words[at:end] == wanted:
                    found.append((phrase, end == len(words)))
        return found

    def _forget_old(self, utterance_id: int) -> None:
        for known in (self._told, self._doubtful):
            for old in [one for one in known if one <= utterance_id - REMEMBERED_UTTERANCES]:
                del known[old]
