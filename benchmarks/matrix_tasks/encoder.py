"""A BERT-shaped encoder on SST-2 phrases: tokens and masks, with the sequence length left open."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from benchkit.sst2_encoder import phrases, trained
from benchkit.tasks import weights_folder
from torch import Tensor, nn

_BATCH = 128


@cache
def _phrases(split: str) -> tuple[Tensor, Tensor, Tensor]:
    return phrases(split)


def model() -> nn.Module:
    return trained(weights_folder())


def example_inputs() -> tuple[Tensor, ...]:
    ids, mask, _ = _phrases("dev")
    return ids[:1], mask[:1]


def dynamic_shapes() -> Any:
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=128)
    return ({0: batch, 1: length}, {0: batch, 1: length})


def train_data() -> Iterator[tuple[tuple[Tensor, Tensor], Tensor]]:
    ids, mask, labels = _phrases("train")
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(0))
    for batch in torch.split(order, _BATCH):
        yield (ids[batch], mask[batch]), labels[batch]


def eval_data() -> Iterator[tuple[tuple[Tensor, Tensor], Tensor]]:
    ids, mask, labels = _phrases("dev")
    for batch in torch.split(torch.arange(len(ids)), _BATCH):
        yield (ids[batch], mask[batch]), labels[batch]
