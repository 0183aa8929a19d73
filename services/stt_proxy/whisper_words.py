"""Word alignment of Whisper by the cross-attention of its decoder, and the segments between pauses."""

import math
from collections.abc import Callable, Sequence

from services.language.script import script_of
from services.stt_proxy.engine import Segment, Span, Word
from services.stt_proxy.whisper_pieces import nearest_span

LEAST_PROBABILITY = 1e-4  # of a token, so that one that is nearly impossible does not make a word's confidence 0


def word_groups(ids: Sequence[int], texts: Sequence[str], *, is_spaced: bool) -> list[list[int]]:
    """Indices of the tokens of each word. In a script without spaces each token is a word of its own."""
    groups: list[list[int]] = []
    for index in range(len(ids)):
        if groups and is_spaced and not texts[index].startswith(" "):
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def placed_words(
    texts: Sequence[str],
    groups: Sequence[Sequence[int]],
    steps: Sequence[tuple[int, int]],
    probabilities: Sequence[float],
    *,
    place: Callable[[int], int],
) -> list[Word]:
    """The words with their places.

    `steps`: pairs of a token's index and the 20 ms at which the decoder looked while it wrote the token; the last one
    of a token counts, since the silence before a word is laid to it. `probabilities`: of each token. `place`: the
    sample of the call at such a step.
    """
    last_step = dict(steps)
    words: list[Word] = []
    for number, (text, group) in enumerate(zip(texts, groups, strict=True)):
        first = last_step.get(group[0], 0)
        last = max(last_step.get(index, first) for index in group) + 1
        if number + 1 < len(groups):
            last = max(first + 1, min(last, last_step.get(groups[number + 1][0], last)))
        logs = [math.log(max(LEAST_PROBABILITY, probabilities[index])) for index in group if index < len(probabilities)]
        words.append(
            Word(
                text.strip(),
                place(first),
                place(last),
                math.exp(sum(logs) / len(logs)) if logs else None,
            )
        )
    return words


def segments_of(words: Sequence[Word], spans: Sequence[Span], language: str, *, with_words: bool) -> list[Segment]:
    """One segment for each span of speech that has words; a word belongs to the span it lies in or nearest to."""
    gap = " " if script_of(language).is_spaced else ""
    groups: list[list[Word]] = [[] for _ in spans]
    current = 0
    for word in words:
        current = max(current, nearest_span(tuple(spans), word.start_sample))
        groups[current].append(word)
    return [
        Segment(
            gap.join(word.text for word in group),
            span.start_sample,
            span.end_sample,
            _confidence(group),
            tuple(group) if with_words else (),
        )
        for span, group in zip(spans, groups, strict=True)
        if any(word.text for word in group)
    ]


def _confidence(words: Sequence[Word]) -> float | None:
    """The words' geometric mean."""
    known = [word.confidence for word in words if word.confidence is not None]
    return math.exp(sum(math.log(max(LEAST_PROBABILITY, one)) for one in known) / len(known)) if known else None
