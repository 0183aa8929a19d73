"""What it costs to load the languages: `python -m tests.load.languages`. Once at start, in milliseconds."""

import re
import sys
import time
from collections.abc import Callable
from functools import partial

from services.language import data, numerals
from services.language.clauses import unfinished_by_a_dot
from services.language.reading import normalizer
from services.language.script import script_of
from services.nlu.agent.wording import phrases_of
from services.stt_proxy.endings.model import ending_model_of
from services.stt_proxy.grammar import grammar_of
from services.stt_proxy.phrasebook import phrasebook_of

MOST_MS = 50.0  # to read the files of a language
PARTS: dict[str, Callable[[str], object]] = {
    "phrases": phrases_of,
    "clauses": unfinished_by_a_dot,
    "answers": phrasebook_of,
    "numbers": numerals.number_words,
    "script": script_of,
    "endings": ending_model_of,
    "patterns": grammar_of,
    "reading": lambda language: normalizer.Normalizer().speak("1", language),
}


def read_all(language: str) -> None:
    """Every table of a language's folder."""
    for file in data.folder_of(language).glob("*.toml"):
        data.read(language, file.stem)


def timed_ms(step: Callable[[], object]) -> float:
    """How long a step takes."""
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1000


def main() -> int:
    """Exit status 1 when the files of a language take longer than they may."""
    slowest = 0.0
    for language in data.languages():
        data.forget()
        re.purge()
        data.languages()
        read_ms = timed_ms(partial(read_all, language))
        built = {name: timed_ms(partial(build, language)) for name, build in PARTS.items()}
        slowest = max(slowest, read_ms)
        print(f"{language}: read in {read_ms:.1f} ms; then built and compiled:", end=" ")
        print(", ".join(f"{name} {ms:.1f}" for name, ms in built.items()))
    print(f"slowest to read: {slowest:.1f} ms, may take {MOST_MS:.0f}")
    return 1 if slowest > MOST_MS else 0


if __name__ == "__main__":
    sys.exit(main())
