"""Taking stock after a (re)connect."""

from services.call_gateway.edges.ari.events import Channel
from services.call_gateway.edges.ari.names import Names
from services.call_gateway.edges.ari.recovery import Bridge, FoundCall, Recovery, plan_recovery

NAMES = Names("tong-dai")


def caller(channel_id: str, *, app: str = "tong-dai", is_up: bool = True) -> Channel:
    return Channel(channel_id, is_up=is_up, caller="100", variables={}, app=app)


def media(call_id: str, ordinal: int = 1) -> Channel:
    return Channel(NAMES.media(call_id, ordinal), is_up=True, caller="", variables={}, app="tong-dai")


def bridge(call_id: str, *channels: Channel) -> Bridge:
    return Bridge(NAMES.bridge(call_id), tuple(channel.channel_id for channel in channels))


def test_an_empty_asterisk_and_no_calls_need_nothing():
    assert plan_recovery(NAMES, (), (), {}) == Recovery((), (), (), (), ())


def test_a_call_that_goes_on_is_left_alone():
    one, sound = caller("1.0"), media("1.0")
    plan = plan_recovery(NAMES, (one, sound), (bridge("1.0", one, sound),), {"1.0": "1.0"})
    assert plan == Recovery(vanished=(), alive=("1.0",), found=(), orphan_channels=(), orphan_bridges=())


def test_a_session_whose_caller_is_gone_ends():
    plan = plan_recovery(NAMES, (), (), {"1.0": "1.0"})
    assert plan.vanished == ("1.0",)
    assert plan.found == ()


def test_a_caller_left_in_our_bridge_is_found_and_gets_new_media():
    one, sound = caller("1.0"), media("1.0", 2)
    plan = plan_recovery(NAMES, (one, sound), (bridge("1.0", one, sound),), {})
    assert plan.found == (FoundCall("1.0", one, is_bridged=True, media_ordinal=3),)
    assert plan.orphan_channels == (sound.channel_id,)
    assert plan.orphan_bridges == ()


def test_a_caller_who_was_handed_over_is_found_by_the_bridge_alone():
    handed_over = caller("9.9", app="")
    plan = plan_recovery(NAMES, (handed_over,), (bridge("1.0", handed_over),), {})
    assert plan.found == (FoundCall("1.0", handed_over, is_bridged=True, media_ordinal=1),)


def test_a_caller_who_still_rings_is_found():
    ringing = caller("2.0", is_up=False)
    plan = plan_recovery(NAMES, (ringing,), (), {})
    assert plan.found == (FoundCall("2.0", ringing, is_bridged=False, media_ordinal=1),)


def test_media_and_bridge_whose_caller_hung_up_are_orphans():
    sound = media("1.0")
    plan = plan_recovery(NAMES, (sound,), (bridge("1.0", sound),), {})
    assert plan.orphan_channels == (sound.channel_id,)
    assert plan.orphan_bridges == (NAMES.bridge("1.0"),)
    assert plan.found == ()


def test_what_belongs_to_others_is_not_touched():
    theirs = caller("3.0", app="tong-dai-2")
    their_media = Channel("tong-dai-2.3.0.media-1", is_up=True, caller="", variables={}, app="tong-dai-2")
    their_bridge = Bridge("tong-dai-2.3.0", ("3.0", "tong-dai-2.3.0.media-1"))
    plan = plan_recovery(NAMES, (theirs, their_media), (their_bridge,), {})
    assert plan == Recovery((), (), (), (), ())


def test_a_caller_who_replaced_another_is_known_by_the_new_channel():
    new, sound = caller("5.0", app=""), media("1.0")
    plan = plan_recovery(NAMES, (new, sound), (bridge("1.0", new, sound),), {"1.0": "5.0"})
    assert plan == Recovery(vanished=(), alive=("5.0",), found=(), orphan_channels=(), orphan_bridges=())
