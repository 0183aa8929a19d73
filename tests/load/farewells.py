"""Prints which farewells are found, by language: `python -m tests.load.farewells [part]`.

Judges the part "unseen" of tests/data/farewells_unseen.toml, or the one named: a later round, "dev", "test".
"""

import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from services.nlu.agent.ending import Ending, caller_ends

LINES = Path(__file__).parents[1] / "data" / "farewells.toml"
UNSEEN = LINES.with_name("farewells_unseen.toml")
GREETINGS = ("How can I help you?", "Em có thể giúp gì cho anh chị ạ?", "Чем могу помочь?", "请问有什么可以帮您？")


@dataclass(frozen=True, slots=True)
class Line:
    """A caller's words, the agent's words before them, and their meaning."""

    text: str
    language: str
    last_heard: str
    label: Ending
    part: str

    @property
    def found(self) -> Ending:
        has_spoken = not self.last_heard.endswith(GREETINGS)
        return caller_ends(self.text, last_heard=self.last_heard, language_code=self.language, has_spoken=has_spoken)


def read_lines(part: str) -> list[Line]:
    """The lines of a part: "dev", "test", "unseen", "unseen_2"."""
    path = UNSEEN if part.startswith("unseen") else LINES
    lines = tomllib.loads(path.read_text(encoding="utf-8"))["lines"]
    return [Line(**{**line, "label": Ending(line["label"])}) for line in lines if line["part"] == part]


def main() -> int:
    """Exit status 1 when a call would be ended wrongly, or fewer than nine tenths of the farewells are found."""
    lines = read_lines(sys.argv[1] if len(sys.argv) > 1 else "unseen")
    counts = Counter((line.language, line.label, line.found) for line in lines)
    print(f"{'language':<10}{'label':<12}" + "".join(f"{found.value:>10}" for found in Ending))
    for language in sorted({line.language for line in lines}):
        for label in Ending:
            row = "".join(f"{counts[language, label, found]:>10}" for found in Ending)
            print(f"{language:<10}{label.value:<12}{row}")
    for line in lines:
        if line.found is not line.label:
            print(f"{line.language}  {line.label.value} taken for {line.found.value}: {line.text}")
    farewells = [line for line in lines if line.label is Ending.FAREWELL]
    n_found = sum(line.found is Ending.FAREWELL for line in farewells)
    others = [line for line in lines if line.label is not Ending.FAREWELL]
    n_wrong = sum(line.found is Ending.FAREWELL for line in others)
    print(f"found {n_found} of {len(farewells)} farewells; {n_wrong} of {len(others)} other turns would end the call")
    return 1 if n_wrong or n_found < 0.9 * len(farewells) else 0


if __name__ == "__main__":
    sys.exit(main())
