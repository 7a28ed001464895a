"""MobileNetV3-Small (Howard et al. 2019, table 2) with the strides that 32x32 images need.

The paper's network halves the image five times, to 7x7 from 224x224. Here the first two strides
are 1, so that it ends at 4x4; kernels, widths, squeezes and activations are the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class _Row:
    """A line of the paper's table: kernel, expansion, output width, squeeze, activation, stride."""

    kernel: int
    expanded: int
    out: int
    squeezed: bool
    activation: type[nn.Module]
    stride: int


_STEM, _LAST, _HIDDEN = 16, 576, 1024
_TABLE = (
    _Row(3, 16, 16, True, nn.ReLU, 1),
    _Row(3, 72, 24, False, nn.ReLU, 2),
    _Row(3, 88, 24, False, nn.ReLU, 1),
    _Row(5, 96, 40, True, nn.Hardswish, 2),
    _Row(5, 240, 40, True, nn.Hardswish, 1),
    _Row(5, 240, 40, True, nn.Hardswish, 1),
    _Row(5, 120, 48, True, nn.Hardswish, 1),
    _Row(5, 144, 48, True, nn.Hardswish, 1),
    _Row(5, 288, 96, True, nn.Hardswish, 2),
    _Row(5, 576, 96, True, nn.Hardswish, 1),
    _Row(5, 576, 96, True, nn.Hardswish, 1),
)


class MobileNetV3Small(nn.Module):
    def __init__(self, classes: int = 10, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = _conv(3, _STEM, 3, 1, nn.Hardswish)
        widths = (_STEM, *(row.out for row in _TABLE))
        self.blocks = nn.Sequential(
            *(Bottleneck(inputs, row) for inputs, row in zip(widths, _TABLE, strict=False))
        )
        self.last = _conv(widths[-1], _LAST, 1, 1, nn.Hardswish)
        self.classifier = nn.Sequential(
            nn.Linear(_LAST, _HIDDEN),
            nn.Hardswish(),
            nn.Dropout(dropout),
            nn.Linear(_HIDDEN, classes),
        )

    def forward(self, image: Tensor) -> Tensor:
        # Depthwise convolutions train in two thirds of the time; the values are the same.
        image = image.contiguous(memory_format=torch.channels_last)
        inner = self.last(self.blocks(self.stem(image)))
        scores: Tensor = self.classifier(inner.mean((2, 3)))
        return scores


class Bottleneck(nn.Module):
    """Expand, depthwise, squeeze and excite, project; added to its input where shapes agree."""

    def __init__(self, inputs: int, row: _Row) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if row.expanded != inputs:
            layers.append(_conv(inputs, row.expanded, 1, 1, row.activation))
        wide = row.expanded
        layers.append(_conv(wide, wide, row.kernel, row.stride, row.activation, groups=wide))
        if row.squeezed:
            layers.append(Squeeze(wide))
        layers.append(_conv(wide, row.out, 1, 1, None))
        self.layers = nn.Sequential(*layers)
        self.added = row.stride == 1 and inputs == row.out

    def forward(self, image: Tensor) -> Tensor:
        inner: Tensor = self.layers(image)
        return image + inner if self.added else inner


class Squeeze(nn.Module):
    """To a quarter of the width, as the paper has it, rounded to a multiple of 8."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(8, (width // 4 + 4) // 8 * 8)
        self.down = nn.Conv2d(width, inner, 1)
        self.up = nn.Conv2d(inner, width, 1)
        self.relu = nn.ReLU()
        self.gate = nn.Hardsigmoid()

    def forward(self, image: Tensor) -> Tensor:
        scale = self.gate(self.up(self.relu(self.down(image.mean((2, 3), keepdim=True)))))
        scaled: Tensor = image * scale
        return scaled


def _conv(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int,
    activation: type[nn.Module] | None,
    groups: int = 1,
) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(outputs)]
    if activation is not None:
        layers.append(activation())
    return nn.Sequential(*layers)
