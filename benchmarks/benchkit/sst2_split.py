"""SST-2's phrases split so that choices and results never share one: 5,000 of the training phrases
are to choose on, ``dev`` is what is reported on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from benchkit.sst2_encoder import phrases

VOCABULARY = 16_000
VALIDATION = 5_000
_BATCH = 64
_BUCKET = 50 * _BATCH
_UNKNOWN = 1
_WORDS_DROPPED = 0.1
Phrases = tuple[Tensor, Tensor, Tensor]
Batch = tuple[tuple[Tensor, Tensor], Tensor]


def example_inputs() -> tuple[Tensor, ...]:
    ids, mask, _ = _phrases("dev")
    return ids[:1], mask[:1]


def train_data() -> Iterator[Batch]:
    """One epoch, shuffled by torch's seed: phrases of like length together, as long as the longest;
    a tenth of their words made unknown, so that none is learned by heart."""
    ids, mask, labels = _split()[0]
    lengths = mask.sum(1)
    batches: list[Tensor] = []
    for bucket in torch.split(torch.randperm(len(ids)), _BUCKET):
        batches += torch.split(bucket[lengths[bucket].argsort()], _BATCH)
    for index in torch.randperm(len(batches)).tolist():
        chosen = batches[index]
        width = max(int(lengths[chosen].max()), 1)
        words, present = ids[chosen, :width], mask[chosen, :width]
        dropped = (torch.rand(words.shape) < _WORDS_DROPPED) & present.bool()
        yield (words.masked_fill(dropped, _UNKNOWN), present), labels[chosen]


def validation_data() -> Iterator[Batch]:
    return _in_order(_split()[1])


def test_data() -> Iterator[Batch]:
    return _in_order(_phrases("dev"))


def calibration_data() -> Iterator[tuple[Tensor, Tensor]]:
    ids, mask, _ = _split()[0]
    yield ids[:512], mask[:512]


def indices() -> tuple[Tensor, Tensor]:
    """Of ``train``'s phrases: those to train on, those to choose on."""
    count = len(_phrases("train")[0])
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return order[VALIDATION:], order[:VALIDATION]


@cache
def _phrases(split: str) -> Phrases:
    return phrases(split, VOCABULARY)


@cache
def _split() -> tuple[Phrases, Phrases]:
    every = _phrases("train")
    trained, chosen_on = indices()
    return _taken(every, trained), _taken(every, chosen_on)


def _taken(every: Phrases, which: Tensor) -> Phrases:
    ids, mask, labels = every
    return ids[which], mask[which], labels[which]


def _in_order(every: Phrases) -> Iterator[Batch]:
    for ids, mask, labels in zip(*(torch.split(each, 500) for each in every), strict=True):
        yield (ids, mask), labels
