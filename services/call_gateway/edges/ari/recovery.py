"""Reconciliation after a (re)connect: compares what Asterisk holds with what we know. Pure functions."""

from dataclasses import dataclass
from enum import Enum

from services.call_gateway.edges.ari.events import Channel
from services.call_gateway.edges.ari.names import Names


@dataclass(frozen=True, slots=True)
class Bridge:
    """One bridge as Asterisk lists it."""

    bridge_id: str
    channel_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownVisit:
    """A visit of a caller that a session here holds."""

    call_id: str
    caller_id: str  # the caller's channel; "" once it has left, and only the remains are ours
    media_id: str
    bridge_id: str
    is_set_up: bool  # caller and media channel have been bridged
    is_away: bool = False  # the caller is being transferred, and may come back


class VisitLoss(Enum):
    """The reason why a visit is over."""

    GONE = "gone"  # the caller's channel is no more
    AWAY = "away"  # it exists, and is in the application no more
    MEDIA = "media"  # the media channel or the bridge is gone, the caller is there


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A caller in our application of whom no session knows."""

    channel: Channel
    bridge_id: str = ""  # the bridge of ours in which the caller stands; "" when in none


@dataclass(frozen=True, slots=True)
class Recovery:
    """The plan of a recovery: visits that are lost or alive, calls that were found, and orphans to remove."""

    lost: tuple[tuple[KnownVisit, VisitLoss], ...]
    alive: tuple[KnownVisit, ...]  # whose events we want again
    returned: tuple[KnownVisit, ...]  # of those alive: the caller was away, and is in the application again
    found: tuple[FoundCall, ...]
    orphan_channels: tuple[str, ...]  # media channels without a session
    orphan_bridges: tuple[str, ...]  # bridges without a caller or a session


def plan_recovery(
    names: Names, channels: tuple[Channel, ...], bridges: tuple[Bridge, ...], known: tuple[KnownVisit, ...]
) -> Recovery:
    """`known`: every visit that goes on here, and those whose bridge and media are still to be removed."""
    by_id = {channel.channel_id: channel for channel in channels}
    members = {bridge.bridge_id: bridge.channel_ids for bridge in bridges}
    alive, lost = [], []
    for visit in known:
        loss = _loss(names, visit, by_id, members)
        if loss is None:
            alive.append(visit)
        else:
            lost.append((visit, loss))
    found = _find_callers(names, by_id, bridges, {visit.caller_id for visit in alive}, {v.bridge_id for v in known})
    kept_media = {visit.media_id for visit in known}
    kept_bridges = {visit.bridge_id for visit in known} | {call.bridge_id for call in found}
    return Recovery(
        lost=tuple(lost),
        alive=tuple(alive),
        returned=tuple(visit for visit in alive if visit.is_away and by_id[visit.caller_id].app == names.app),
        found=found,
        orphan_channels=tuple(
            channel_id
            for channel_id in by_id
            if names.call_of_media(channel_id) is not None and channel_id not in kept_media
        ),
        orphan_bridges=tuple(
            bridge_id
            for bridge_id in members
            if names.call_of_bridge(bridge_id) is not None and bridge_id not in kept_bridges
        ),
    )


def _loss(
    names: Names, visit: KnownVisit, by_id: dict[str, Channel], members: dict[str, tuple[str, ...]]
) -> VisitLoss | None:
    """Return why a visit is lost; None: it is alive. An existing channel alone does not make the call ours: it must be
    in our application or in the visit's bridge.

    One that came in place of another (attended transfer) is shown without application, and stands in the bridge.
    """
    if visit.caller_id not in by_id:
        return VisitLoss.GONE
    if visit.is_away:
        return None
    bridged = members.get(visit.bridge_id, ())
    if by_id[visit.caller_id].app != names.app and visit.caller_id not in bridged:
        return VisitLoss.AWAY
    is_whole = visit.media_id in by_id and visit.media_id in bridged and visit.caller_id in bridged
    return VisitLoss.MEDIA if visit.is_set_up and not is_whole else None


def _find_callers(
    names: Names,
    by_id: dict[str, Channel],
    bridges: tuple[Bridge, ...],
    sessions: set[str],
    known_bridges: set[str],
) -> tuple[FoundCall, ...]:
    calls: dict[str, FoundCall] = {}

    def is_unknown_caller(channel_id: str) -> bool:
        return channel_id in by_id and channel_id not in sessions and names.call_of_media(channel_id) is None

    for bridge in bridges:  # who stands in a bridge of ours, however it came there
        callers = [channel_id for channel_id in bridge.channel_ids if is_unknown_caller(channel_id)]
        if names.call_of_bridge(bridge.bridge_id) is not None and bridge.bridge_id not in known_bridges and callers:
            calls[callers[0]] = FoundCall(by_id[callers[0]], bridge.bridge_id)
    for channel_id, channel in by_id.items():  # who waits in our application
        if channel.app == names.app and is_unknown_caller(channel_id):
            calls.setdefault(channel_id, FoundCall(channel))
    return tuple(calls.values())
