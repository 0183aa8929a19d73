"""What it costs to load the languages: `python -m tests.load.languages`, each in a process of its own, as at start.

Milliseconds of CPU, the median of several processes: reading the files, and what each part takes to build and compile.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from services.language import data, numerals
from services.language.clauses import unfinished_by_a_dot
from services.language.reading import normalizer
from services.language.script import script_of
from services.nlu.agent.ending import was_offered
from services.nlu.agent.wording import phrases_of
from services.stt_proxy.endings.model import ending_model_of
from services.stt_proxy.grammar import grammar_of
from services.stt_proxy.inventions import is_invented
from services.stt_proxy.phrasebook import phrasebook_of

MOST_MS = 50.0  # to load a language
N_PROCESSES = 5
PARTS: dict[str, Callable[[str], object]] = {
    "phrases": phrases_of,
    "farewells": lambda language: was_offered("", language_code=language),
    "clauses": unfinished_by_a_dot,
    "answers": phrasebook_of,
    "inventions": lambda language: is_invented("", language, 1.0, 0.0),
    "numbers": numerals.number_words,
    "script": script_of,
    "endings": ending_model_of,
    "patterns": grammar_of,
    "reading": lambda language: normalizer.Normalizer().speak("1", language),
}


def measured(language: str) -> dict[str, float]:
    """What this process takes for the files of a language, and then for each part."""

    def timed_ms(step: Callable[[], object]) -> float:
        began = time.process_time()
        step()
        return (time.process_time() - began) * 1000

    def read_all() -> None:
        for file in data.folder_of(language).glob("*.toml"):
            data.read(language, file.stem)

    data.languages()
    found = {"files": timed_ms(read_all)}
    for name, build in PARTS.items():
        found[name] = timed_ms(lambda build=build: build(language))  # type: ignore[misc]
    return found


def in_a_fresh_process(language: str) -> dict[str, float]:
    """The same of a process that has read nothing yet."""
    command = [sys.executable, "-m", "tests.load.languages", language]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def main() -> int:
    """Exit status 1 when a language takes longer than it may."""
    if len(sys.argv) > 1:
        print(json.dumps(measured(sys.argv[1])))
        return 0
    slowest = 0.0
    for language in data.languages():
        runs = [in_a_fresh_process(language) for _ in range(N_PROCESSES)]
        parts = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        total = statistics.median(sum(run.values()) for run in runs)
        slowest = max(slowest, total)
        print(f"{language}: {total:.1f} ms:", ", ".join(f"{name} {ms:.1f}" for name, ms in parts.items()))
    print(f"slowest: {slowest:.1f} ms, may take {MOST_MS:.0f}")
    return 1 if slowest > MOST_MS else 0


if __name__ == "__main__":
    sys.exit(main())
