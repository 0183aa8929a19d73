"""The cost of loading a language: `python -m tests.load.languages`, each service in a process of its own, as at start.

Milliseconds of CPU, the median of several processes. "data" is every file of the language read and checked; then, for
each service that listens, thinks or speaks in it, what that service reads of them and builds and compiles out of it.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from services.language import data, number_words
from services.language.clauses import unfinished_by_a_dot
from services.language.reading import normalizer
from services.language.script import script_of
from services.nlu.agent.ending import was_offered
from services.nlu.agent.phrases import phrases_of
from services.stt_proxy.end_of_turn.ending_model import ending_model_of
from services.stt_proxy.grammar import grammar_of
from services.stt_proxy.inventions import is_invented
from services.stt_proxy.phrasebook import phrasebook_of

MOST_MS = 50.0  # to load a language
N_PROCESSES = 5


def read_all(language: str) -> None:
    """Every file of the language."""
    for file in data.folder_of(language).glob("*.toml"):
        data.read(language, file.stem)


Parts = dict[str, Callable[[str], object]]
SERVICES: dict[str, Parts] = {
    "data": {
        "files": lambda language: [data.read(language, file.stem) for file in data.folder_of(language).glob("*.toml")]
    },
    "stt_proxy": {
        "answers": phrasebook_of,
        "inventions": lambda language: is_invented("", language, 1.0, 0.0),
        "numbers": number_words.number_words,
        "endings": ending_model_of,
        "patterns": grammar_of,
    },
    "nlu": {
        "phrases": phrases_of,
        "farewells": lambda language: was_offered("", language_code=language),
        "clauses": unfinished_by_a_dot,
        "numbers": number_words.number_words,
        "script": script_of,
    },
    "tts": {"clauses": unfinished_by_a_dot, "reading": lambda language: normalizer.Normalizer().speak("1", language)},
}


def measured(service: str, language: str) -> dict[str, float]:
    """Return what this process, which has read nothing yet, takes for each part."""

    def timed_ms(build: Callable[[str], object]) -> float:
        began = time.process_time()
        build(language)
        return (time.process_time() - began) * 1000

    data.languages()
    return {name: timed_ms(build) for name, build in SERVICES[service].items()}


def in_a_fresh_process(service: str, language: str) -> dict[str, float]:
    """The same of a process of its own."""
    command = [sys.executable, "-m", "tests.load.languages", service, language]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def shared_ms() -> float:
    """Return what the patterns of no language take, which are compiled when the module that reads text aloud is
    imported.
    """
    source = (
        "import re, time, typing, xml.etree.ElementTree, unicode_rbnf\n"
        "from services.language import data\n"
        "began = time.process_time()\n"
        "import services.language.reading.normalizer\n"
        "print((time.process_time() - began) * 1000)"
    )
    return float(subprocess.run([sys.executable, "-c", source], check=True, capture_output=True).stdout)


def main() -> int:
    """Exit status 1 when something takes longer than it may."""
    if len(sys.argv) > 1:
        print(json.dumps(measured(sys.argv[1], sys.argv[2])))
        return 0
    slowest = 0.0
    for service in SERVICES:
        for language in data.languages():
            runs = [in_a_fresh_process(service, language) for _ in range(N_PROCESSES)]
            parts = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
            total = statistics.median(sum(run.values()) for run in runs)
            slowest = max(slowest, total)
            told = ", ".join(f"{name} {ms:.1f}" for name, ms in parts.items())
            print(f"{service:9} {language}: {total:5.1f} ms: {told}")
    shared = statistics.median(shared_ms() for _ in range(N_PROCESSES))
    print(f"reading aloud, patterns of no language, once on import: {shared:.1f} ms")
    print(f"slowest: {slowest:.1f} ms, may take {MOST_MS:.0f}")
    return 1 if slowest > MOST_MS else 0


if __name__ == "__main__":
    sys.exit(main())
