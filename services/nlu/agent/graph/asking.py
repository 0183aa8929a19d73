"""Kinds of questions, from the asking.toml of each language: examples of every kind, and the words around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.language import data
from services.language.data import LanguageDataError, primary
from services.language.spelling import Spelling
from services.language.words import normalise
from services.nlu.agent.facts import Person, Service, Topic, names_in
from services.nlu.agent.profile import AgentProfile

FILE = "asking"
REFERENCE = "en"  # the language whose kinds of questions every other has too
TEXT_KIND = "text:"  # and the id of a text of the agent's file
UNKNOWN = "unknown"  # the kind of what businesses mostly do not know
_SLOTS = ("service", "person", "topic")
_LAST_WORDS = 2
_NAMES_A_SLOT = 2  # of the agent's, in each example with a slot

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asking:
    """One language's words around questions, as `normalise` leaves them."""

    holidays: tuple[Words, ...]
    follow_ups: tuple[Words, ...]  # the longest first, as the others are
    pronouns: tuple[Words, ...]
    particles: tuple[Words, ...]  # those that point at nothing among a sentence's last words
    person_pronouns: tuple[Words, ...]
    question_words: tuple[Words, ...]  # with one of these a sentence asks by itself
    wants: tuple[Words, ...]  # with one of these a thing that is named alone is wanted
    places: tuple[Words, ...]  # what the business is called: no service is named in it
    trades: Mapping[str, tuple[Words, ...]]  # kinds of business
    joints: tuple[Words, ...]
    preambles: tuple[Words, ...]  # begin any question: "I'd like to know"
    greetings: tuple[Words, ...]  # that name a part of the day
    oaths: tuple[Words, ...]  # swear words beside what is asked
    articles: frozenset[str]  # between these and the thing
    exists: tuple[Words, ...]  # what follows them is asked about: "is there a pool"
    corrections: tuple[Words, ...]  # between what was said and what was said instead
    slips: tuple[Words, ...]  # the same, right behind the value that is put right; see self_repair.py
    denials: tuple[Words, ...]  # the same, alone between stops
    cues: tuple[Words, ...]  # a second one in a sentence may begin, or end, another question
    choices: tuple[Words, ...]  # between things of which one is wanted
    sums: tuple[Words, ...]  # ask for one price of all that is named
    joins: tuple[Words, ...]  # between things of which one price may be wanted
    left_out: tuple[Words, ...]  # before a thing that is no part of what is asked: "without breakfast"
    left_out_beside: tuple[Words, ...]  # the same, where another thing is named
    left_out_behind: tuple[Words, ...]  # behind such a thing
    left_out_unless: tuple[Words, ...]  # with one of these before it, such a word only asks: "có ... không"
    periods: Mapping[str, tuple[Words, ...]]  # behind a number: so many of what a price is for
    people: Mapping[str, tuple[Words, ...]]  # words for whom something is asked, by the names of counting.py
    people_counted: Mapping[Words, int]  # words that say by themselves how many: "вдвоём"
    letter_remarks: tuple[Words, ...]  # behind a name, before a letter of it: "with a K"
    slot_names: Mapping[str, tuple[Words, ...]]  # how callers name what was read back
    several: Mapping[str, tuple[Words, ...]]  # words of more than one booking; see several.py
    titles: tuple[Words, ...]  # before a name, or behind it
    of_staff: tuple[Words, ...]  # titles of people who work there
    wanted: Mapping[str, tuple[Words, ...]]  # words around what a wish is for; see strangers.py
    terms: Mapping[str, tuple[Words, ...]]  # words of questions about the terms of a booking; see terms.py
    name_leads: tuple[Words, ...]
    name_trails: tuple[Words, ...]
    names_behind: tuple[Words, ...]  # behind a name that is given: "is the name"
    never_names: tuple[Words, ...]
    soonest: tuple[Words, ...]  # the first free time is wanted
    sooner_than_own: tuple[Words, ...]  # a time before the one that the caller has
    later_one: tuple[Words, ...]  # of several times that were offered
    earlier_one: tuple[Words, ...]
    shifts: Mapping[str, tuple[Words, ...]]  # words of a move by so much; see moved_times.py
    drops: tuple[Words, ...]  # behind a yes to a cancellation
    stays_until: tuple[Words, ...]  # before the last day of a stay
    belongings: tuple[Words, ...]  # speak of what somebody else has: "my wife's"
    owners: tuple[Words, ...]  # before the name of the one whose appointment it is
    instead: tuple[Words, ...]  # a time is wanted in place of another
    every: tuple[Words, ...]  # all appointments
    adds: tuple[Words, ...]  # one more is wanted beside what is open
    adds_behind: tuple[Words, ...]  # the same, at the end of a clause
    tells: tuple[Words, ...]  # tell of an appointment that stands
    moves_to: tuple[Words, ...]  # stand before the new time of an appointment
    own: tuple[Words, ...]  # speak of the one that the caller has
    done_already: tuple[Words, ...]  # behind an order, which then tells of what is done: "already"
    waits: tuple[Words, ...]  # ask for a moment
    stops: tuple[Words, ...]  # behind a deed: it was not meant
    undoes: tuple[Words, ...]  # take back what was done in this call
    keeps: tuple[Words, ...]  # the same, but for a booking, which they agree to
    leaves_off: tuple[Words, ...]  # end the call: nothing is taken back
    whys: tuple[Words, ...]  # ask why something is asked for
    withholds: tuple[Words, ...]  # would rather not say what is asked for
    take_backs: tuple[Words, ...]  # with one of these a wish that is open is dropped
    objections: tuple[Words, ...]  # with one of these something that was read back is not right
    agreements: tuple[Words, ...]  # with one of these an answer begins that agrees
    beside_yes: tuple[Words, ...]  # around a yes to what was read back
    hums: tuple[Words, ...]  # before a yes they say nothing, and alone no yes
    orders: Mapping[str, tuple[Words, ...]]  # what callers say to have a deed done, by the names of deeds.toml
    reserves: tuple[Words, ...]  # with one of these it does not
    refusing: Mapping[str, tuple[Words, ...]]  # words around what a caller does not want; see whole_turn.py
    confirms: tuple[Words, ...]  # with one of these a question asks whether what was read back is right
    yes: tuple[Words, ...]  # all the ways to say it
    evidence: Mapping[str, tuple[Words, ...]]  # words that speak for a kind, by the names of kind_rules.py
    compares: Mapping[str, tuple[Words, ...]]  # words that compare, by the names of comparing.py
    stand_ins: frozenset[str]  # stand for a thing behind one of `determiners`: "the Friday one"
    determiners: frozenset[str]
    verbs: frozenset[str]  # of many uses: none is a name by its stem
    stills: tuple[Words, ...]  # in these a joint joins nothing: "còn chỗ" is a place that is still free
    joins_still: tuple[Words, ...]  # unless one of these follows: "còn phòng đôi thì sao"
    counters: frozenset[str]  # stand between a number and what is counted
    before: tuple[Words, ...]  # before a time: earlier than it
    after: tuple[Words, ...]
    sooner: tuple[Words, ...]  # before a day: on a day before it
    later: tuple[Words, ...]
    day_before: tuple[Words, ...]  # the day before the one spoken of
    day_after: tuple[Words, ...]
    clock_questions: tuple[Words, ...]  # ask for a time of day: "from when"
    price_words: tuple[Words, ...]  # ask for a price, whatever else is asked
    common: frozenset[str]


def asking(language_code: str) -> Asking:
    """The words of a language. Raises LanguageDataError where it has no asking.toml."""
    return _read(primary(language_code))


@data.cached
def _read(language: str) -> Asking:
    def listed(key: str) -> tuple[Words, ...]:
        found = (normalise(text) for text in data.phrases(language, FILE, key))
        return tuple(sorted(found, key=len, reverse=True))

    for kind in data.table(REFERENCE, FILE, "kinds"):  # named here, before the first call
        data.first(language, FILE, f"kinds.{kind}")
    for kind in data.table(language, FILE, "more"):
        if kind not in data.table(language, FILE, "kinds"):
            raise LanguageDataError(f"{data.where(language, FILE)}: 'more.{kind}' is no kind of question")
        data.phrases(language, FILE, f"more.{kind}")
    listed("now.words")
    return Asking(
        holidays=listed("holidays.words"),
        follow_ups=listed("follow_ups.words"),
        pronouns=listed("follow_ups.pronouns"),
        particles=listed("follow_ups.particles"),
        person_pronouns=listed("follow_ups.person_pronouns"),
        question_words=listed("follow_ups.question_words"),
        wants=listed("follow_ups.wants"),
        places=listed("words.places"),
        trades={name: listed(f"trades.{name}") for name in data.table(REFERENCE, FILE, "trades")},
        joints=listed("parts.joints"),
        preambles=listed("parts.preambles"),
        greetings=listed("parts.greetings"),
        oaths=listed("parts.oaths"),
        articles=frozenset(word for words in listed("parts.articles") for word in words),
        exists=listed("parts.exists"),
        corrections=listed("parts.corrections"),
        slips=listed("parts.slips"),
        denials=listed("parts.denials"),
        cues=listed("parts.cues"),
        choices=listed("sum.choices"),
        sums=listed("sum.words"),
        joins=listed("sum.joins"),
        left_out=listed("sum.left_out"),
        left_out_beside=listed("sum.left_out_beside"),
        left_out_behind=listed("sum.left_out_behind"),
        left_out_unless=listed("sum.left_out_unless"),
        periods={name: listed(f"periods.{name}") for name in data.table(REFERENCE, FILE, "periods")},
        people={name: listed(f"people.{name}") for name in data.table(REFERENCE, FILE, "people")},
        people_counted={
            normalise(text): number for text, number in data.numbers(language, FILE, "people_counted", least=2).items()
        },
        letter_remarks=listed("names.letter_remarks"),
        slot_names={name: listed(f"slot_names.{name}") for name in data.table(REFERENCE, FILE, "slot_names")},
        several={name: listed(f"several.{name}") for name in data.table(REFERENCE, FILE, "several")},
        titles=listed("names.titles"),
        of_staff=listed("names.of_staff"),
        wanted={name: listed(f"wanted.{name}") for name in data.table(REFERENCE, FILE, "wanted")},
        terms={name: listed(f"terms.{name}") for name in data.table(REFERENCE, FILE, "terms")},
        name_leads=listed("names.lead"),
        name_trails=listed("names.trail"),
        names_behind=listed("names.behind"),
        never_names=listed("names.never"),
        soonest=listed("wishes.soonest"),
        sooner_than_own=listed("wishes.sooner_than_own"),
        later_one=listed("wishes.later_one"),
        earlier_one=listed("wishes.earlier_one"),
        shifts={name: listed(f"shifts.{name}") for name in data.table(REFERENCE, FILE, "shifts")},
        drops=listed("wishes.drops"),
        stays_until=listed("wishes.stays_until"),
        belongings=tuple(
            normalise(text.replace("{one}", relative))
            for text in data.phrases(language, FILE, "people.belongings")
            for relative in data.words(language, FILE, "people.relatives")
        ),
        owners=listed("wishes.owners"),
        instead=listed("wishes.instead"),
        every=listed("wishes.every"),
        adds=listed("wishes.adds"),
        adds_behind=listed("wishes.adds_behind"),
        tells=listed("wishes.tells"),
        moves_to=listed("wishes.moves_to"),
        own=listed("wishes.own"),
        done_already=listed("wishes.done_already"),
        waits=listed("wishes.waits"),
        stops=listed("wishes.stops"),
        undoes=listed("wishes.undoes"),
        keeps=listed("wishes.keeps"),
        leaves_off=listed("wishes.leaves_off"),
        whys=listed("wishes.whys"),
        withholds=listed("wishes.withholds"),
        take_backs=listed("wishes.take_backs"),
        objections=listed("wishes.objections"),
        agreements=listed("wishes.agreements"),
        beside_yes=listed("wishes.beside_yes"),
        hums=listed("wishes.hums"),
        orders={name: listed(f"orders.{name}") for name in data.table(REFERENCE, FILE, "orders")},
        reserves=listed("wishes.reserves"),
        refusing={name: listed(f"refusing.{name}") for name in data.table(REFERENCE, FILE, "refusing")},
        confirms=listed("wishes.confirms"),
        yes=listed("kinds.yes"),
        evidence={name: listed(f"evidence.{name}") for name in data.table(REFERENCE, FILE, "evidence")},
        compares={name: listed(f"compare.{name}") for name in data.table(REFERENCE, FILE, "compare")},
        stand_ins=frozenset(data.words(language, FILE, "words.stand_ins")),
        determiners=frozenset(data.words(language, FILE, "words.determiners")),
        verbs=frozenset(data.words(language, FILE, "words.verbs")),
        stills=listed("parts.stills"),
        joins_still=listed("parts.joins_still"),
        counters=frozenset(word for words in listed("words.counters") for word in words),
        before=listed("words.before"),
        after=listed("words.after"),
        sooner=listed("words.sooner"),
        later=listed("words.later"),
        day_before=listed("follow_ups.day_before"),
        day_after=listed("follow_ups.day_after"),
        clock_questions=listed("words.clock_questions"),
        price_words=listed("words.price_words"),
        common=frozenset(word for words in listed("words.common") for word in words),
    )


def is_text(kind: str) -> bool:
    """Tell if a kind is a text of the agent's file."""
    return kind.startswith(TEXT_KIND)


def refers(words: Words, asking: Asking) -> bool:
    """Return whether words point at what was spoken of before: "how long does it take?"."""
    body = words[:-_LAST_WORDS]
    pointing = [one for one in asking.pronouns if one not in asking.particles]
    every = [(words, pointing), (body, asking.particles)]
    return any(one == said[at : at + len(one)] for said, ones in every for one in ones for at in range(len(said)))


def spelling_of(profile: AgentProfile, tag: str, texts: Iterable[str]) -> Spelling:
    """Return how a language is spelt: by the examples and by the agent's names."""
    facts = profile.facts
    things: tuple[Service | Topic | Person, ...] = (*facts.services, *facts.topics, *facts.people)
    names = [name for thing in things for name in names_in(thing.names, tag)]
    return Spelling((*texts, *names), known=asking(tag).common)


def examples_of(profile: AgentProfile) -> dict[str, dict[str, list[str]]]:
    """Examples by kind and language: the language's own with the agent's names in them, and those of its file."""
    found: dict[str, dict[str, list[str]]] = {}
    for tag in profile.language_codes:
        for kind in data.table(primary(tag), FILE, "kinds"):
            texts = data.words(primary(tag), FILE, f"kinds.{kind}")
            own = [filled for text in texts for filled in _filled(text, _names(profile, tag))]
            further = data.table(primary(tag), FILE, "more")
            own += data.words(primary(tag), FILE, f"more.{kind}") if kind in further else ()
            found.setdefault(kind, {})[tag] = own
        for fact in profile.facts.texts:
            found.setdefault(TEXT_KIND + fact.id, {})[tag] = list(names_in(fact.examples, tag))
    return found


def _names(profile: AgentProfile, tag: str) -> dict[str, list[str]]:
    facts = profile.facts
    lists: dict[str, Sequence[Service | Person | Topic]] = {
        "service": facts.services,
        "person": facts.people,
        "topic": facts.topics,
    }
    return {slot: [names_in(thing.names, tag)[0] for thing in lists[slot]] for slot in _SLOTS}


def _filled(text: str, names: Mapping[str, list[str]]) -> list[str]:
    """An example with names of the agent's in its slots; none where it has no such thing. Which names, the text says,
    so that each of them stands in some examples.
    """
    texts = [text]
    for slot, known in names.items():
        mark = f"{{{slot}}}"
        if mark not in text:
            continue
        first = sum(map(ord, text))
        chosen = [known[(first + i) % len(known)] for i in range(min(_NAMES_A_SLOT, len(known)))]
        texts = [filled.replace(mark, name) for filled in texts for name in chosen]
    return texts
