"""The cache's slots: a prompt starts from what is computed already, and a draft takes nothing away."""

from services.nlu.engines.llama_cpp.slots import CacheSlot, CacheSlots


class Cells:
    """A cache that only notes what it is asked."""

    def __init__(self, *, can_cut: bool = True) -> None:
        self.copies: list[tuple[int, int, int]] = []
        self.can_cut = can_cut

    def copy(self, from_slot: int, to_slot: int, n_tokens: int) -> None:
        self.copies.append((from_slot, to_slot, n_tokens))

    def cut(self, slot: int, n_tokens: int) -> bool:
        return self.can_cut or n_tokens == 0


def used(slots: CacheSlots, conversation: str, prompt: list[int]) -> CacheSlot:
    """A slot that has computed the whole prompt and is idle again."""
    slot = slots.take(conversation, prompt)
    assert slot is not None
    slot.tokens += prompt[len(slot.tokens) :]
    slots.give_back(slot)
    return slot


def test_a_longer_prompt_of_a_conversation_goes_on_in_its_slot() -> None:
    slots = CacheSlots(4, Cells())
    first = used(slots, "a", [1, 2, 3])
    again = slots.take("a", [1, 2, 3, 4, 5])
    assert again is first
    assert again.tokens == [1, 2, 3]


def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    slots = CacheSlots(4, Cells())
    used(slots, "a", [1, 2, 3])
    again = slots.take("a", [1, 2, 3])
    assert again is not None
    assert again.tokens == [1, 2]


def test_another_conversation_shares_the_beginning() -> None:
    cells = Cells()
    slots = CacheSlots(4, cells)
    first = used(slots, "a", [1, 2, 3, 4])
    other = slots.take("b", [1, 2, 9])
    assert other is not None
    assert other is not first
    assert other.tokens == [1, 2]
    assert cells.copies == [(first.index, other.index, 2)]


def test_between_tenants_only_pinned_openings_are_shared() -> None:
    cells = Cells()
    slots = CacheSlots(6, cells)
    opening = slots.take("", [1, 2])
    assert opening is not None
    opening.tokens += [1, 2]
    slots.pin(opening)
    first = used(slots, "one.a", [1, 2, 3, 4, 5])
    stranger = slots.take("two.b", [1, 2, 3, 4, 9])
    assert stranger is not None
    assert stranger.tokens == [1, 2], "no more than the opening"
    colleague = slots.take("one.c", [1, 2, 3, 4, 9])
    assert colleague is not None
    assert colleague.tokens == [1, 2, 3, 4]
    assert cells.copies[-2:] == [(opening.index, stranger.index, 2), (first.index, colleague.index, 4)]


def test_a_draft_that_comes_to_nothing_leaves_the_conversation_as_it_was() -> None:
    slots = CacheSlots(8, Cells())
    base = used(slots, "a", [1, 2, 3])
    for draft in ([1, 2, 3, 70, 71], [1, 2, 3, 80, 81], [1, 2, 3, 90, 91]):
        used(slots, "a", draft)
    turn = slots.take("a", [1, 2, 3, 4])
    assert turn is not None
    assert turn.tokens == [1, 2, 3]
    assert base.tokens[:3] == [1, 2, 3]


def test_a_conversation_keeps_to_two_slots() -> None:
    slots = CacheSlots(8, Cells())
    for last in range(10):
        used(slots, "a", [1, 2, 50 + last, 60 + last])
    assert [slots.evict() for _ in range(3)] == [True, True, False]


def test_a_busy_slot_may_be_shared_but_not_taken() -> None:
    slots = CacheSlots(4, Cells())
    speaking = slots.take("a", [1, 2, 3])
    assert speaking is not None
    speaking.tokens += [1, 2, 3]
    draft = slots.take("a", [1, 2, 3, 4])
    assert draft is not None
    assert draft is not speaking
    assert draft.tokens == [1, 2, 3]


def test_when_all_are_busy_there_is_none() -> None:
    slots = CacheSlots(2, Cells())
    assert slots.take("a", [1, 2]) is not None
    assert slots.take("b", [1, 2]) is not None
    assert slots.take("c", [1, 2]) is None


def test_a_pinned_opening_is_never_given_away() -> None:
    slots = CacheSlots(2, Cells())
    opening = slots.take("", [1, 2, 3])
    assert opening is not None
    opening.tokens += [1, 2, 3]
    slots.pin(opening)
    for name in "abc":
        assert used(slots, name, [1, 2, 3, 4]) is not opening
    assert slots.evict()
    assert not slots.evict()
    assert opening.tokens == [1, 2, 3]


def test_the_slot_used_longest_ago_is_given_away_first() -> None:
    slots = CacheSlots(3, Cells())
    used(slots, "a", [1, 2])
    second = used(slots, "b", [3, 4])
    used(slots, "c", [5, 6])
    used(slots, "a", [1, 2, 7])
    assert slots.take("d", [8, 9]) is second


def test_a_forgotten_conversation_frees_its_slots() -> None:
    slots = CacheSlots(2, Cells())
    used(slots, "a", [1, 2])
    slots.forget("a")
    assert not slots.evict()


def test_a_model_that_cannot_cut_starts_from_an_empty_sequence() -> None:
    slots = CacheSlots(1, Cells(can_cut=False))
    used(slots, "a", [1, 2, 3])
    again = slots.take("a", [1, 2, 9])
    assert again is not None
    assert again.tokens == []
