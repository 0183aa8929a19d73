"""The words by which a clause claims something: claims.toml and deeds.toml of each language. Sans-IO, save for reading
them once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.language import data
from services.language.phrases import PhraseSet, PhraseTable, words_of

FILE, DEEDS = "claims", "deeds"
LISTS = (
    *(
        "open",
        "closed",
        "close",
        "then",
        "each",
        "same_day",
        "but",
        "so",
        "too_late",
        "too_early",
        "suits",
        "arriving",
        "leaving",
        "about",
        "having",
        "any_time",
        "assured",
        "cheapest",
        "dearest",
        "cheaper",
        "dearer",
        "classifiers",
        "over",
        "under",
        "apart",
        "apart_by",
        "together",
        "ages",
        "aged",
        "twosome",
        "left_over",
        "enough",
        "denied",
        "come",
        "until",
        "until_behind",
        "free",
        "free_word",
        "free_nouns",
        "taken",
        "negations",
        "price",
        "echo",
        "sympathy",
        "courtesies",
        "inability",
        "inability_ends",
        "unbroken",
        "yours",
        "yes",
    ),
    *(
        "name_is_asked",
        "assents",
        "noted",
        "question_openings",
        "asks_openings",
        "asks_endings",
        "denial_endings",
        "caller_subjects",
        "ignorance",
    ),
    *("human", "machine", "claiming", "persons", "counted_people", "counts", "capitals", "yes_no_endings", "staff"),
    *(
        "introductions",
        "titles",
        "objections",
        "knowing",
        "knowers",
        "soonest",
        "bounded",
        "allowing",
        "of_house",
        "wholly",
    ),
    *("asks_cheaper", "asks_dearer", "pro_verbs", "relative_openings", "threesome", "foursome", "longer"),
    *(
        "talk",
        "talkers",
        "call_words",
        "generic",
        "always",
        "talk_verbs",
        "addressees",
        "states",
        "remarks",
        "house_marks",
        "wishing",
    ),
)
SHORTEST_STEM = 3
UNFOUNDED = (
    "any_time",
    "assured",
    "cheapest",
    "dearest",
    "denied",
)  # lists that are looked for, and make no word known
TIME_VERBS = ("open", "closed", "close", "free", "taken", "come")
DEED_LISTS = (
    *("done_before", "done_behind", "promise_before", "ability_before", "not_before", "not_behind", "agents", "selves"),
    *("past_subjects", "past_marks", "past_ends", "past_verbs", "past_exempt"),
    *("orders", "orders_to_book", "completed", "completed_ends", "completed_exempt"),
)


@dataclass(frozen=True, slots=True)
class ClaimWords:
    """Claim words of one language. `deeds` are named by what is done: "booked"."""

    lists: Mapping[str, PhraseSet]
    time_verbs: PhraseTable[str]  # what is said of a time, by the name of its list
    common: frozenset[str]  # words that claim nothing by themselves
    frame: frozenset[str]  # words of statements that claim no property of the house
    listed: frozenset[str]  # words of the lists, which claim times, not things
    past_endings: tuple[str, ...]  # of verbs in the past
    endings: tuple[str, ...]  # of words in another form: "slowly"
    fleeting: tuple[str, ...]  # endings whose vowel is in no other form of the word
    plural_endings: tuple[str, ...]  # of names of things
    declensions: tuple[tuple[str, ...], ...]  # endings of a word, one a case; the first is a dictionary's
    is_closed_world: bool  # the list above is long enough to tell what is not in it
    deed_lists: Mapping[str, PhraseSet]
    done: PhraseTable[str]  # what says by itself that a deed is done
    verbs: PhraseTable[str]  # of deeds
    acts: Mapping[str, tuple[str, ...]]  # of each deed: parts of the names of tools and acts that do it

    def forms(self, word: str) -> Iterator[str]:
        """A word, and what it may be without an ending."""
        yield word
        for ending in self.endings:
            if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM:
                stem = word[: -len(ending)]
                yield stem
                yield f"{stem}e"
                if stem[-1] == stem[-2]:
                    yield stem[:-1]

    def cases_of(self, name: str) -> Iterator[str]:
        """A name in each case, its words in the same one: "одноместный номер", "одноместном номере"."""
        for case in range(1, max((len(row) for row in self.declensions), default=0)):
            yield " ".join(self._in_case(word, case) for word in name.split())

    def _in_case(self, word: str, case: int) -> str:
        rows = (row for row in self.declensions if len(word) > len(row[0]) + 1 and word.endswith(row[0]))
        row = next(rows, None)
        return word if row is None or case >= len(row) else word.removesuffix(row[0]) + row[case]


def claim_words(language_code: str) -> ClaimWords:
    """The words of a language; none for one without a folder. Raises LanguageDataError."""
    return _read(data.known(language_code))


def honest_sentence(language_code: str) -> str:
    """Return what an agent says where it does not know; English where the language has none."""
    return _sentence(language_code, "honest")


def asked_sentence(language_code: str) -> str:
    """Return what an agent says of a deed that it asked for where no result says whether it was done."""
    return _sentence(language_code, "asked")


def _sentence(language_code: str, name: str) -> str:
    language = data.known(language_code)
    return data.text("en" if language == data.FALLBACK else language, FILE, name)


def load() -> None:
    """Read every language, so that no call waits for it."""
    for language in (*data.languages(), data.FALLBACK):
        _read(language)
    for language in data.languages():
        for name in ("honest", "asked"):
            if not _sentence(language, name).strip():
                raise data.LanguageDataError(f"{data.where(language, FILE)}: {name!r} is empty")


@data.cached
def _read(language: str) -> ClaimWords:
    deeds = data.table(language, DEEDS, "deeds")
    common = data.text(language, FILE, "common")
    lists = {name: PhraseSet(data.words(language, FILE, name)) for name in LISTS}
    deed_lists = {name: PhraseSet(data.words(language, DEEDS, name)) for name in DEED_LISTS}
    known = [phrases for name, phrases in lists.items() if name not in UNFOUNDED]
    return ClaimWords(
        lists=lists,
        time_verbs=PhraseTable(
            {
                phrase: name
                for name in reversed(TIME_VERBS)  # of a phrase in two lists the first counts
                for phrase in data.words(language, FILE, name)
            }
        ),
        listed=frozenset().union(*(phrases.vocabulary for phrases in (*known, *deed_lists.values()))),
        common=frozenset(word for word in common.split() for word in words_of(word)),
        past_endings=data.words(language, DEEDS, "past_endings"),
        frame=frozenset(word for word in data.text(language, FILE, "frame").split() for word in words_of(word)),
        endings=data.words(language, FILE, "endings"),
        plural_endings=data.words(language, FILE, "plural_endings"),
        declensions=tuple(tuple(row.split()) for row in data.words(language, FILE, "declensions")),
        fleeting=data.words(language, FILE, "fleeting"),
        is_closed_world=data.flag(language, FILE, "is_closed_world"),
        deed_lists=deed_lists,
        done=PhraseTable(
            {phrase: deed for deed in deeds for phrase in data.words(language, DEEDS, f"deeds.{deed}.done")}
        ),
        verbs=PhraseTable(
            {phrase: deed for deed in deeds for phrase in data.words(language, DEEDS, f"deeds.{deed}.verbs")}
        ),
        acts={deed: data.words(language, DEEDS, f"deeds.{deed}.acts") for deed in deeds},
    )
