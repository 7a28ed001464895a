"""Services are added to gRPC's server by their generic handlers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc.aio


class GenericMethods:
    """Takes a server's place where services are added to it.

    grpcio 1.85 also asks its core for the next call of each method that is registered. Where its
    loop breaks down it frees what the core will write that call into: whoever then called one of
    them over an open connection ended the process, with a segmentation fault.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """The generic ones serve them, too."""
