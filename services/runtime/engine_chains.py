"""Reads settings such as TTS_ENGINES="en=nemo>piper,vi=nemo>espeak": per language, engines in the order they are tried.

A comma parts languages, `>` an engine from the one that stands in for it. A language is a BCP-47 tag or its first
part; `*` is every other language. Sans-IO.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

ANY = "*"

Chains = dict[str, tuple[str, ...]]


def parse_chains(value: str) -> Chains:
    """The chains by language, in lower case. Raises ValueError that says what to write."""
    chains: Chains = {}
    for entry in filter(None, (part.strip() for part in value.split(","))):
        language, equals, names = (part.strip() for part in entry.partition("="))
        chain = tuple(name.strip() for name in names.split(">"))
        if not equals or not language or not all(chain):
            raise ValueError("write language=engine>fallback, separated by commas, as in en=piper>espeak,*=espeak")
        if len(set(chain)) < len(chain):
            raise ValueError(f"{entry}: an engine cannot stand in for itself")
        if language.lower() in chains:
            raise ValueError(f"{language} is named twice: write one chain for a language")
        chains[language.lower()] = chain
    if not chains:
        raise ValueError("write language=engine>fallback, as in *=openai>llama_cpp")
    return chains


def show_chains(chains: Mapping[str, Iterable[str]]) -> str:
    """The text that `parse_chains` reads."""
    return ",".join(f"{language}={'>'.join(chain)}" for language, chain in chains.items())


def chain_for(language_code: str, chains: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The chain of a BCP-47 tag: of its longest prefix that is named, else of `*`, else empty."""
    parts = language_code.lower().split("-")
    for n_parts in range(len(parts), 0, -1):
        if chain := chains.get("-".join(parts[:n_parts])):
            return chain
    return chains.get(ANY, ())


def engine_names(chains: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Every engine of the chains once, in the order they are named."""
    return tuple(dict.fromkeys(name for chain in chains.values() for name in chain))
