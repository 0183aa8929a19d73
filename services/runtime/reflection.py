"""Server reflection under both of its names, v1 and v1alpha, which also finds methods by name.

The package grpcio-reflection serves v1alpha only and knows no methods, so that ghz without proto files fails on it. The
two versions differ only in the package name, so one servicer answers for both.
"""

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as v1alpha
from grpc_reflection.v1alpha.reflection import aio as reflection_aio

PACKAGES = ("grpc.reflection.v1", "grpc.reflection.v1alpha")
V1_FILE = "grpc/reflection/v1/reflection.proto"


class SymbolPool:
    """The default descriptor pool, in which "package.Service.Method" is a symbol too."""

    def __init__(self) -> None:
        self._pool: Any = descriptor_pool.Default()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802 - protobuf's name
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file


def add_reflection(server: grpc.aio.Server, service_names: Iterable[str]) -> None:
    """Serve reflection for `service_names` (full names) and for itself. Call before the server starts."""
    _describe_v1()
    names = [*service_names, *(f"{package}.ServerReflection" for package in PACKAGES)]
    servicer = reflection_aio.ReflectionServicer(names, pool=SymbolPool())
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=v1alpha.ServerReflectionRequest.FromString,
        response_serializer=v1alpha.ServerReflectionResponse.SerializeToString,
    )
    handlers = {"ServerReflectionInfo": method}
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(f"{package}.ServerReflection", handlers) for package in PACKAGES)
    )


def _describe_v1() -> None:
    """Put grpc.reflection.v1 into the pool, so that describing every listed service works."""
    pool: Any = descriptor_pool.Default()
    try:
        pool.FindFileByName(V1_FILE)
    except KeyError:
        alpha = FileDescriptorProto()
        v1alpha.DESCRIPTOR.CopyToProto(alpha)
        text = text_format.MessageToString(alpha).replace("grpc.reflection.v1alpha", "grpc.reflection.v1")
        v1 = text_format.Parse(text, FileDescriptorProto())
        v1.name = V1_FILE
        pool.AddSerializedFile(v1.SerializeToString())
