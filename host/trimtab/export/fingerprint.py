"""The identity of a torch model: its traced program and every weight in it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def model_fingerprint(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> str:
    """SHA-256. Raises whatever torch.export raises: then no exporter could take the model."""
    import torch

    program = torch.export.export(model, example_inputs)
    hasher = hashlib.sha256(str(program.graph_signature).encode())
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            hasher.update(module.code.encode())
    for name, value in sorted({**program.state_dict, **program.constants}.items()):
        hasher.update(name.encode())
        hasher.update(_content(value))
    return hasher.hexdigest()


def _content(value: Any) -> bytes:
    import torch

    if not isinstance(value, torch.Tensor):
        return repr(value).encode()
    plain = value.detach().cpu().contiguous()
    shape = f"{plain.dtype}{tuple(plain.shape)}".encode()
    return shape + plain.flatten().view(torch.uint8).numpy().tobytes()
