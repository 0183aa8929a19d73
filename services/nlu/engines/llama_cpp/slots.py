"""Slots of the key-value cache: a prompt goes into the slot with the longest common prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

_SLOTS_A_CONVERSATION = 2  # one for the turn that stands, one for drafts of the next


class Cache(Protocol):
    """Protocol of the model's key-value cache."""

    def copy(self, from_slot: int, to_slot: int, n_tokens: int) -> None:
        """Share the first n tokens of a slot with an empty one."""

    def cut(self, slot: int, n_tokens: int) -> bool:
        """Keep the first n tokens of a slot. False: it is empty now."""


@dataclass(slots=True)
class CacheSlot:
    """One token sequence in the cache."""

    index: int
    tokens: list[int] = field(default_factory=list)  # computed, in order
    conversation: str = ""  # the conversation that used the slot last; empty: free
    is_busy: bool = False
    is_pinned: bool = False  # an opening that every conversation shares
    last_used: int = 0


class CacheSlots:
    """All slots of one cache. A prompt always starts from the longest prefix that any slot holds."""

    def __init__(self, n_slots: int, cache: Cache) -> None:
        self._slots = [CacheSlot(i) for i in range(n_slots)]
        self._cache = cache
        self._uses = count(1)

    def take(self, conversation: str, prompt: Sequence[int]) -> CacheSlot | None:
        """Take a slot whose tokens are the longest known prefix of the prompt, without its last token.

        A slot is extended in place when nothing of it is lost by that;
        otherwise the prefix is shared with another slot, so that a draft that
        comes to nothing leaves the conversation as it was. Between tenants only pinned openings are shared: how fast
        an answer comes would reveal what another tenant's callers have said. None: all are busy.
        """

        def shared(slot: CacheSlot) -> int:
            return _shared(slot.tokens, prompt) if _may_share(slot, conversation) else 0

        best = max(self._slots, key=lambda slot: (shared(slot), slot.conversation == conversation))
        n_shared = shared(best)
        is_own = best.conversation == conversation and not best.is_pinned and not best.is_busy
        if is_own and n_shared == len(best.tokens):
            return self._claim(best, conversation)
        target = self._room(conversation, keep=best)
        if target is None:
            return None
        if target is best:
            if not self._cache.cut(best.index, n_shared):
                n_shared = 0
            del best.tokens[n_shared:]
            return self._claim(best, conversation)
        self._empty(target)
        if n_shared:
            self._cache.copy(best.index, target.index, n_shared)
            target.tokens = best.tokens[:n_shared]
        return self._claim(target, conversation)

    @property
    def n_pinned_tokens(self) -> int:
        """Cells of the cache that are never given up."""
        return sum(len(slot.tokens) for slot in self._slots if slot.is_pinned)

    def n_shared_with_pinned(self, prompt: Sequence[int]) -> int:
        """The prompt's leading tokens that take no cells of their own, since an opening has them."""
        return max((_shared(slot.tokens, prompt) for slot in self._slots if slot.is_pinned), default=0)

    def give_back(self, slot: CacheSlot) -> None:
        slot.is_busy = False

    def drop(self, slot: CacheSlot) -> None:
        """Give a slot back empty; its cells are not used again."""
        slot.is_busy = False
        self._empty(slot)

    def pin(self, slot: CacheSlot) -> None:
        """Pin the slot permanently, without its conversation."""
        slot.is_pinned, slot.is_busy, slot.conversation = True, False, ""

    def forget(self, conversation: str) -> None:
        """Free the slots of an ended conversation."""
        for slot in self._slots:
            if slot.conversation == conversation and not slot.is_busy:
                self._empty(slot)

    def evict(self) -> bool:
        """Free the idle slot that was used longest ago. False: there is none."""
        idle = [slot for slot in self._slots if slot.tokens and not slot.is_busy and not slot.is_pinned]
        if not idle:
            return False
        self._empty(min(idle, key=lambda slot: slot.last_used))
        return True

    def _room(self, conversation: str, *, keep: CacheSlot) -> CacheSlot | None:
        """Return the slot to give up: an own one beyond the two, else a free one, else the one used longest ago."""
        idle = [slot for slot in self._slots if not slot.is_busy and not slot.is_pinned]
        own = [slot for slot in idle if slot.conversation == conversation]
        free = [slot for slot in idle if not slot.tokens and not slot.conversation]
        if len(own) < _SLOTS_A_CONVERSATION and free:
            return free[0]
        candidates = [slot for slot in own or idle if slot is not keep] or own or idle
        return min(candidates, key=lambda slot: slot.last_used, default=None)

    def _claim(self, slot: CacheSlot, conversation: str) -> CacheSlot:
        slot.conversation, slot.is_busy, slot.last_used = conversation, True, next(self._uses)
        if not slot.tokens:
            self._cache.cut(slot.index, 0)
        return slot

    def _empty(self, slot: CacheSlot) -> None:
        self._cache.cut(slot.index, 0)
        slot.tokens.clear()
        slot.conversation = ""


def _may_share(slot: CacheSlot, conversation: str) -> bool:
    """Return whether a conversation may use the slot's cache: its id ("tenant.conversation") names the same tenant."""
    return slot.is_pinned or slot.conversation.rpartition(".")[0] == conversation.rpartition(".")[0]


def _shared(tokens: Sequence[int], prompt: Sequence[int]) -> int:
    """Return the length of the common prefix; at least one token of the prompt is left to compute."""
    n = 0
    for held, wanted in zip(tokens, prompt[:-1], strict=False):
        if held != wanted:
            break
        n += 1
    return n
