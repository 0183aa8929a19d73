"""Reconciliation after a (re)connect."""

from dataclasses import replace

import pytest

from services.call_gateway.edges.ari.events import Channel
from services.call_gateway.edges.ari.names import Names
from services.call_gateway.edges.ari.recovery import Bridge, FoundCall, KnownVisit, Recovery, VisitLoss, plan_recovery

NAMES = Names("tong-dai")
NOTHING = Recovery((), (), (), (), (), ())


def caller(channel_id: str, *, app: str = "tong-dai", is_up: bool = True) -> Channel:
    return Channel(channel_id, is_up=is_up, caller="100", variables={}, app=app)


def media(call_id: str) -> Channel:
    return Channel(NAMES.media(call_id), is_up=True, caller="", variables={}, app="tong-dai")


def bridge(call_id: str, *channels: Channel) -> Bridge:
    return Bridge(NAMES.bridge(call_id), tuple(channel.channel_id for channel in channels))


def known(call_id: str, caller_id: str, *, is_set_up: bool = True) -> KnownVisit:
    return KnownVisit(call_id, caller_id, NAMES.media(call_id), NAMES.bridge(call_id), is_set_up)


def test_an_empty_asterisk_and_no_calls_need_nothing():
    assert plan_recovery(NAMES, (), (), ()) == NOTHING


def test_a_call_that_goes_on_is_left_alone():
    one, sound, visit = caller("1.0"), media("a"), known("a", "1.0")
    assert plan_recovery(NAMES, (one, sound), (bridge("a", one, sound),), (visit,)) == replace(NOTHING, alive=(visit,))


def test_a_session_whose_caller_is_gone_ends():
    visit = known("a", "1.0")
    assert plan_recovery(NAMES, (), (), (visit,)) == replace(NOTHING, lost=((visit, VisitLoss.GONE),))


def test_a_caller_who_exists_elsewhere_is_ours_no_more():
    visit, sound = known("a", "1.0"), media("a")
    plan = plan_recovery(NAMES, (caller("1.0", app=""), sound), (bridge("a", sound),), (visit,))
    assert plan == replace(NOTHING, lost=((visit, VisitLoss.AWAY),))


@pytest.mark.parametrize("what_is_missing", ["media channel", "bridge", "caller in the bridge", "media in the bridge"])
def test_a_caller_without_bridge_or_media_is_lost_for_this_session(what_is_missing: str):
    one, sound, visit = caller("1.0"), media("a"), known("a", "1.0")
    channels, bridges = {
        "media channel": ((one,), (bridge("a", one),)),
        "bridge": ((one, sound), ()),
        "caller in the bridge": ((one, sound), (bridge("a", sound),)),
        "media in the bridge": ((one, sound), (bridge("a", one),)),
    }[what_is_missing]
    assert plan_recovery(NAMES, channels, bridges, (visit,)).lost == ((visit, VisitLoss.MEDIA),)


def test_a_call_that_is_being_set_up_has_neither_yet():
    visit = known("a", "1.0", is_set_up=False)
    assert plan_recovery(NAMES, (caller("1.0"),), (), (visit,)) == replace(NOTHING, alive=(visit,))


def test_a_caller_who_came_again_while_the_first_visit_is_cleared_away_is_found_and_nothing_of_that_is_touched():
    one, sound, visit = caller("1.0"), media("a"), known("a", "", is_set_up=False)
    plan = plan_recovery(NAMES, (one, sound), (bridge("a", sound),), (visit,))
    assert plan == replace(NOTHING, lost=((visit, VisitLoss.GONE),), found=(FoundCall(one),))


def test_a_caller_left_in_our_bridge_is_found_with_it():
    one, sound = caller("1.0"), media("a")
    plan = plan_recovery(NAMES, (one, sound), (bridge("a", one, sound),), ())
    assert plan == replace(NOTHING, found=(FoundCall(one, NAMES.bridge("a")),), orphan_channels=(sound.channel_id,))


def test_a_caller_who_was_handed_over_is_found_by_the_bridge_alone():
    handed_over = caller("9.9", app="")
    plan = plan_recovery(NAMES, (handed_over,), (bridge("a", handed_over),), ())
    assert plan.found == (FoundCall(handed_over, NAMES.bridge("a")),)


def test_a_caller_who_still_rings_is_found():
    ringing = caller("2.0", is_up=False)
    assert plan_recovery(NAMES, (ringing,), (), ()) == replace(NOTHING, found=(FoundCall(ringing),))


def test_media_and_bridge_whose_caller_hung_up_are_orphans():
    sound = media("a")
    plan = plan_recovery(NAMES, (sound,), (bridge("a", sound),), ())
    assert plan == replace(NOTHING, orphan_channels=(sound.channel_id,), orphan_bridges=(NAMES.bridge("a"),))


def test_what_belongs_to_others_is_not_touched():
    theirs = caller("3.0", app="tong-dai-2")
    their_media = Channel("tong-dai-2.3.0.media-1", is_up=True, caller="", variables={}, app="tong-dai-2")
    their_bridge = Bridge("tong-dai-2.3.0", ("3.0", "tong-dai-2.3.0.media-1"))
    assert plan_recovery(NAMES, (theirs, their_media), (their_bridge,), ()) == NOTHING


def test_a_caller_who_replaced_another_is_known_by_the_new_channel():
    new, sound, visit = caller("5.0", app=""), media("a"), known("a", "5.0")
    plan = plan_recovery(NAMES, (new, sound), (bridge("a", new, sound),), (visit,))
    assert plan == replace(NOTHING, alive=(visit,))


def test_a_caller_who_is_being_transferred_is_not_lost():
    away = replace(known("a", "1.0", is_set_up=False), is_away=True)
    one, sound = caller("1.0", app=""), media("a")
    plan = plan_recovery(NAMES, (one, sound), (bridge("a", sound),), (away,))
    assert plan == replace(NOTHING, alive=(away,))


def test_a_caller_who_came_back_unnoticed_is_taken_back():
    away = replace(known("a", "1.0", is_set_up=False), is_away=True)
    one, sound = caller("1.0"), media("a")
    plan = plan_recovery(NAMES, (one, sound), (bridge("a", sound),), (away,))
    assert plan == replace(NOTHING, alive=(away,), returned=(away,))


def test_a_caller_who_hung_up_while_being_transferred_is_gone():
    away = replace(known("a", "1.0", is_set_up=False), is_away=True)
    plan = plan_recovery(NAMES, (media("a"),), (bridge("a", media("a")),), (away,))
    assert plan == replace(NOTHING, lost=((away, VisitLoss.GONE),))
