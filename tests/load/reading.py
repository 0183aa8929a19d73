"""Prints the table of what is spoken, a line a case, and what CPU reading takes: `python -m tests.load.reading`."""

import sys
import time
import tomllib
from pathlib import Path

from services.language import data
from services.language.reading.normalizer import Normalizer, load

TABLES = Path(__file__).parents[1] / "data" / "reading"
N_TIMES = 50
N_LONGEST = 20


def main() -> int:
    """Exit status 1 when a line is read wrongly."""
    data.forget()
    begun = time.process_time()
    for language in data.languages():
        data.read(language, "reading")
    read_ms = (time.process_time() - begun) * 1000
    begun = time.process_time()
    load()
    compile_ms = (time.process_time() - begun) * 1000
    normalizer, n_wrong = Normalizer(), 0
    for path in sorted(TABLES.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        code, cases = table["language_code"], table["cases"]
        for written, spoken in cases.items():
            found = normalizer.speak(written, code).text
            n_wrong += found != spoken
            print(f"{code}  {written}  ->  {found}" + ("" if found == spoken else f"  (WRONG: {spoken})"))
        longest = sorted(cases, key=len)[-N_LONGEST:]
        times_ms = []
        for written in longest * N_TIMES:
            begun = time.process_time()
            normalizer.speak(written, code)
            times_ms.append((time.process_time() - begun) * 1000)
        times_ms.sort()
        p95_ms = times_ms[len(times_ms) * 95 // 100]
        print(f"{code}: {len(cases)} cases; the {len(longest)} longest: p95 {p95_ms:.2f} ms\n")
    print(f"read {read_ms:.0f} ms, compiled {compile_ms:.0f} ms, all languages, once at start; {n_wrong} wrong")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
