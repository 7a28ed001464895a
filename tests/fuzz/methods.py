"""Every method of every service in the contract, as the descriptors tell."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import trimtab_protos.v1
from google.protobuf import message_factory


@dataclass(frozen=True)
class Method:
    path: str
    request: Any
    response: Any
    client_streaming: bool
    server_streaming: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def on(self, channel: Any) -> Callable[..., Any]:
        """Takes requests as bytes, so that what is no message at all can be sent too."""
        kinds = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }
        make = kinds[self.client_streaming, self.server_streaming]
        call: Callable[..., Any] = make(
            self.path,
            request_serializer=_as_they_are,
            response_deserializer=self.response.FromString,
        )
        return call


def all_methods() -> tuple[Method, ...]:
    return tuple(_methods())


def _methods() -> Iterator[Method]:
    for module in pkgutil.iter_modules(trimtab_protos.v1.__path__):
        if not module.name.endswith("_pb2"):
            continue
        file = importlib.import_module(f"trimtab_protos.v1.{module.name}").DESCRIPTOR
        for service in file.services_by_name.values():
            for method in service.methods:
                yield Method(
                    f"/{service.full_name}/{method.name}",
                    message_factory.GetMessageClass(method.input_type),
                    message_factory.GetMessageClass(method.output_type),
                    method.client_streaming,
                    method.server_streaming,
                )


def _as_they_are(data: bytes) -> bytes:
    return data
