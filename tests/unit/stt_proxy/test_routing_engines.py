"""The engines of each language: their chains, and loading."""

import asyncio

import pytest
from voice.type.v1 import engine_pb2

from services.runtime.errors import StartupError
from services.stt_proxy import routing
from services.stt_proxy.engine import make_engine
from services.stt_proxy.errors import EngineLost
from services.stt_proxy.settings import SttSettings
from tests.unit.stt_proxy.routing_rig import Rig, rig_listen


def test_the_setting_names_chains():
    settings = SttSettings(_env_file=None, engines="vi = google>faster_whisper , *=faster_whisper")
    assert settings.engines == {"vi": ("google", "faster_whisper"), "*": ("faster_whisper",)}


@pytest.mark.parametrize("value", ["vi", "vi=", "=google", "vi=google>", "vi=google>google", "vi=google,VI=script"])
def test_a_setting_that_cannot_be_read_says_what_to_write(value: str):
    with pytest.raises(ValueError, match=r"engine|chain"):
        SttSettings(_env_file=None, engines=value)


def test_one_engine_for_all_languages_needs_no_routing():
    assert make_engine(SttSettings(_env_file=None, engines="vi=script,*=script")).name == "script"
    chained = make_engine(SttSettings(_env_file=None, engines="*=google>script", google_project="test"))
    assert chained.name == "google>script"


def test_an_engine_that_is_not_known_is_named():
    with pytest.raises(StartupError, match="STT_ENGINES"):
        make_engine(SttSettings(_env_file=None, engines="*=script>telepathy"))


async def test_a_language_has_its_own_chain_and_then_that_of_all():
    rig = Rig({"vi-VN": ("a", "b"), "*": ("c", "d")}, d=("en",))
    await rig.routed.load()
    assert [one.engine.name for one in rig.routed.members_for("vi")] == ["a", "b", "c"]
    assert [one.engine.name for one in rig.routed.members_for("en")] == ["c", "d"]
    assert rig.routed.language_codes == ()


async def test_its_languages_are_those_that_are_named_and_those_of_the_chain_for_all():
    rig = Rig({"vi": ("a",), "*": ("b", "c")}, b=("en",), c=("en", "ru"))
    await rig.routed.load()
    assert rig.routed.language_codes == ("vi", "en", "ru")


async def test_an_engine_that_does_not_load_is_lost_and_the_others_serve():
    rig = Rig({"*": ("first", "second")})
    rig.engines["first"].fault = StartupError("the model is not there")
    await rig.begin()
    assert [len(rig.engine_calls(name)) for name in ("first", "second")] == [0, 1]
    first, second = rig.board.describe()
    assert (first.state, first.cause) == (engine_pb2.Provider.STATE_LOST, "the model is not there")
    assert second.state == engine_pb2.Provider.STATE_CLOSED


async def test_a_chain_without_an_engine_that_loads_does_not_start():
    rig = Rig({"vi": ("first",), "*": ("second",)})
    rig.engines["first"].fault = StartupError("the model is not there")
    with pytest.raises(StartupError, match="not there"):
        await rig.routed.load()


async def test_an_engine_that_loads_for_long_is_not_waited_for_and_serves_when_it_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(routing, "LOAD_WAIT_S", 0.01)
    rig = Rig({"*": ("first", "second")})
    rig.engines["first"].may_load.clear()
    await rig.begin()
    assert rig.board.describe()[0].cause == "it is loading"
    rig.say(1, 1000, 2000)
    assert len(rig.engine_calls("first")) == 0
    rig.engines["first"].may_load.set()
    await asyncio.sleep(0.01)
    rig.engine_call.end(1, 3000)
    rig.say(2, 4000, 5000)
    assert len(rig.engine_calls("first")) == 1
    await rig.routed.close()


async def test_a_call_that_no_engine_can_take_is_refused():
    rig = Rig({"vi": ("first",), "*": ("second",)})
    await rig.routed.load()
    for member in rig.routed.members_for("vi"):
        member.is_loaded = False
    with pytest.raises(EngineLost, match="vi"):
        await asyncio.wait_for(rig_listen(rig), 1)


@pytest.mark.parametrize(("name", "extra"), [("viet_asr", "viet-asr"), ("vosk", "vosk"), ("sherpa_onnx", "sherpa")])
def test_an_engine_whose_package_is_missing_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, name: str, extra: str
) -> None:
    monkeypatch.setattr("services.stt_proxy.engine.find_spec", lambda package: None)
    settings = SttSettings(engine=name)
    with pytest.raises(StartupError, match=rf"needs the package \w+: pip install 'tong-dai\[stt-{extra}\]'"):
        make_engine(settings)
