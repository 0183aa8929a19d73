"""The python and grpc_python generators of grpcio-tools as one protoc plugin, so that buf runs them beside the others.

grpcio-tools compiles both into its own protoc. The plugin writes the descriptors of the request to a file, has that
protoc generate from them, and returns the files: the same bytes as protos/generate.sh makes. buf sets json_name on
every field, protoc by itself does not, and the stubs hold the descriptors; so default ones are taken out again.
Protocol: google/protobuf/compiler/plugin.proto.
"""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]


def default_json_name(field_name: str) -> str:
    """The name that protoc gives a field in JSON: lowerCamelCase."""
    first, *others = field_name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def clear_default_json_names(messages: Iterable[DescriptorProto]) -> None:
    """Take json_name out of the fields of messages, and of those inside them, where it says nothing."""
    for message in messages:
        for field in message.field:
            if field.json_name == default_json_name(field.name):
                field.ClearField("json_name")
        clear_default_json_names(message.nested_type)


def generate(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """The *_pb2.py and *_pb2_grpc.py files of the request's files; `error` is set where protoc refuses them."""
    response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    for file in request.proto_file:
        clear_default_json_names(file.message_type)
    with tempfile.TemporaryDirectory() as folder:
        descriptors, out = Path(folder) / "descriptors.bin", Path(folder) / "out"
        out.mkdir()
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        arguments = ["protoc", f"--descriptor_set_in={descriptors}", f"--python_out={out}", f"--grpc_python_out={out}"]
        if protoc.main([*arguments, *request.file_to_generate]) != 0:
            response.error = "grpc_tools.protoc failed; its message stands above"
            return response
        for path in sorted(out.rglob("*.py")):
            name = path.relative_to(out).as_posix()
            response.file.append(CodeGeneratorResponse.File(name=name, content=path.read_text(encoding="utf-8")))
    return response


if __name__ == "__main__":
    asked = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    sys.stdout.buffer.write(generate(asked).SerializeToString())
