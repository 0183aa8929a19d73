"""The changelog of the protos names what another team can call."""

from pathlib import Path

import pytest
from google.protobuf.descriptor import FileDescriptor
from voice.call.v1 import call_pb2
from voice.nlu.v1 import nlu_pb2
from voice.stt.v1 import stt_pb2
from voice.tts.v1 import tts_pb2

CHANGELOG = Path(__file__).parents[3] / "protos" / "CHANGELOG.md"


@pytest.mark.parametrize(
    "file", [one.DESCRIPTOR for one in (call_pb2, nlu_pb2, stt_pb2, tts_pb2)], ids=lambda file: str(file.package)
)
def test_every_method_is_named(file: FileDescriptor) -> None:
    told = CHANGELOG.read_text(encoding="utf-8")
    methods = [method.name for service in file.services_by_name.values() for method in service.methods]
    assert [name for name in methods if f"`{name}`" not in told] == []
