"""After a (re)connect: what Asterisk holds against what we know, and what follows from it. Pure reasoning."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.call_gateway.edges.ari.events import Channel
from services.call_gateway.edges.ari.names import Names


@dataclass(frozen=True, slots=True)
class Bridge:
    """One bridge as Asterisk lists it."""

    bridge_id: str
    channel_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A caller in our application of whom no session knows."""

    call_id: str
    channel: Channel
    is_bridged: bool  # in the call's own bridge
    media_ordinal: int  # free for a new media channel


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is to be done."""

    vanished: tuple[str, ...]  # call ids of ours whose caller is gone
    alive: tuple[str, ...]  # channel ids of callers whose events we want again
    found: tuple[FoundCall, ...]
    orphan_channels: tuple[str, ...]  # media channels without a session
    orphan_bridges: tuple[str, ...]  # bridges without a caller or a session


def plan_recovery(
    names: Names, channels: tuple[Channel, ...], bridges: tuple[Bridge, ...], known: Mapping[str, str]
) -> Recovery:
    """`known`: call id to the caller's channel id, of every session there is."""
    by_id = {channel.channel_id: channel for channel in channels}
    media: dict[str, list[int]] = {}  # call id to ordinals
    orphan_channels = []
    for channel_id in by_id:
        call_id = names.call_of_media(channel_id)
        if call_id is not None:
            media.setdefault(call_id, []).append(names.media_ordinal(channel_id))
            if call_id not in known:
                orphan_channels.append(channel_id)
    found = _find_callers(names, by_id, bridges, known, media)
    needed = {*known, *(call.call_id for call in found)}
    return Recovery(
        vanished=tuple(call_id for call_id, channel_id in known.items() if channel_id not in by_id),
        alive=tuple(channel_id for channel_id in known.values() if channel_id in by_id),
        found=found,
        orphan_channels=tuple(orphan_channels),
        orphan_bridges=tuple(
            bridge.bridge_id
            for bridge in bridges
            if (call_id := names.call_of_bridge(bridge.bridge_id)) is not None and call_id not in needed
        ),
    )


def _find_callers(
    names: Names,
    by_id: Mapping[str, Channel],
    bridges: tuple[Bridge, ...],
    known: Mapping[str, str],
    media: Mapping[str, list[int]],
) -> tuple[FoundCall, ...]:
    sessions = set(known.values())
    calls: dict[str, FoundCall] = {}

    def take(call_id: str, channel_id: str, *, is_bridged: bool) -> None:
        ordinal = max(media.get(call_id, [0])) + 1
        calls.setdefault(channel_id, FoundCall(call_id, by_id[channel_id], is_bridged, ordinal))

    def is_unknown_caller(channel_id: str) -> bool:
        return channel_id in by_id and channel_id not in sessions and names.call_of_media(channel_id) is None

    for bridge in bridges:  # who stands in a bridge of ours, however it came there
        call_id = names.call_of_bridge(bridge.bridge_id)
        callers = [channel_id for channel_id in bridge.channel_ids if is_unknown_caller(channel_id)]
        if call_id is not None and call_id not in known and callers:
            take(call_id, callers[0], is_bridged=True)
    for channel_id, channel in by_id.items():  # who waits in our application
        if channel.app == names.app and is_unknown_caller(channel_id):
            take(channel_id, channel_id, is_bridged=False)
    return tuple(calls.values())
