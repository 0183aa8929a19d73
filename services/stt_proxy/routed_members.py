"""Members of the chains by language, and the state of a call on each engine that it uses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from services.runtime.breaker import ErrorClass, Permit
from services.runtime.providers import Provider, ProviderFailed
from services.stt_proxy.engine import EngineCall, Hints, Lost, Speech, SttEngine


def language_of(tag: str) -> str:
    """The first part of a tag: "vi" of "vi-VN"."""
    return tag.split("-", maxsplit=1)[0].lower()


def hints_in(hints: Hints, language: str) -> Hints:
    """The hints with only that language, the first part of a tag; empty where the language is not known."""
    codes = tuple(code for code in hints.language_codes if language_of(code) == language)
    return replace(hints, language_codes=codes or ((language,) if language else ()))


def speech_s(speech: Speech) -> float:
    """Return the length of the speech in seconds."""
    return sum(span.end_sample - span.start_sample for span in speech.spans) / speech.sample_rate_hertz


@runtime_checkable
class LanguageDetector(Protocol):
    """An engine that can tell languages apart."""

    def detect(
        self, speech: Speech, languages: tuple[str, ...], deliver: Callable[[Mapping[str, float]], None]
    ) -> None:
        """Have the probability of each of `languages` (first parts of tags) delivered; an empty mapping where the
        engine cannot tell. `deliver` is called on the event loop, once.
        """


@dataclass(slots=True, eq=False)
class Member:
    """An engine of the chains, and what is known of it as a provider."""

    engine: SttEngine
    provider: Provider
    is_loaded: bool = False
    failure: Exception | None = None  # why the engine did not load


class Routing(Protocol):
    """The engines of the chains, as far as a call needs them."""

    @property
    def detector(self) -> LanguageDetector | None:
        """The engine that tells languages apart, if there is one."""

    def members_for(self, language: str) -> list[Member]:
        """Return the engines that understand a language, in the order they are tried."""


class CallMembers:
    """The members that may still recognise one call, and those that it has lost."""

    def __init__(self, routed: Routing) -> None:
        self._routed = routed
        self._lost: dict[int, Lost] = {}  # by the member's id: those that this utterance has lost
        self._refusing: dict[int, Lost] = {}  # those that do not take this call at all

    def admitted(self, language: str) -> tuple[Member, Permit | None] | None:
        """Return the first engine of the language that does well. Where all of them rest, the first is better than
        none.
        """
        usable = self._usable(language)
        for member in usable:
            if (permit := member.provider.admit()) is not None:
                return member, permit
        return (usable[0], None) if usable else None

    def has_another(self, language: str, member: Member) -> bool:
        """Return whether another engine of the language may take the call over."""
        return any(one is not member for one in self._usable(language))

    def lose(self, member: Member, lost: Lost) -> None:
        """Leave an engine out until the next utterance, or for the whole call where the engine refuses it."""
        self._lost[id(member)] = lost
        if not lost.is_retryable:
            self._refusing[id(member)] = lost

    def begin_utterance(self) -> None:
        """Try again the engines that an utterance before has lost."""
        self._lost.clear()

    def _usable(self, language: str) -> list[Member]:
        gone = self._lost.keys() | self._refusing.keys()
        return [one for one in self._routed.members_for(language) if one.is_loaded and id(one) not in gone]


@dataclass(slots=True, eq=False)
class Use:
    """Use of one engine by a call."""

    member: Member
    engine_call: EngineCall
    permit: Permit | None

    def give_back(self) -> None:
        """Nothing more is asked of the engine for now: other calls may ask it."""
        if self.permit is not None:
            self.member.provider.released(self.permit)
            self.permit = None

    def succeed(self) -> None:
        """The engine has answered."""
        if self.permit is not None:
            self.member.provider.succeeded(self.permit, took_s=0.0)
            self.permit = None

    def fail(self, lost: Lost) -> None:
        """The engine has lost the call."""
        permit, self.permit = self.permit or self.member.provider.admit(), None
        self.member.provider.failed(permit, failure_of(lost))


def failure_of(lost: Lost) -> ProviderFailed:
    """Return the provider failure of a loss."""
    if lost.reason == "INVALID_ARGUMENT":
        error_class = ErrorClass.REQUEST
    elif not lost.is_retryable:
        error_class = ErrorClass.FATAL
    elif lost.retry_after_s:
        error_class = ErrorClass.OVERLOADED
    else:
        error_class = ErrorClass.TRANSIENT
    return ProviderFailed(lost.reason, lost.message, error_class, retry_after_s=lost.retry_after_s)
