"""A BERT-shaped encoder (2 layers, 128 wide, 4 heads) on film-review phrases, words for tokens.

The data is the shared folder's SST-2 split (its README has the licence and the source).
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LENGTH = 32
_VOCABULARY = 8000
_PADDING, _UNKNOWN = 0, 1
_EPOCHS = 2
_BATCH = 64
_LEARNING_RATE = 5e-4
_WEIGHTS = "sst2-encoder.pt"


@dataclass(frozen=True)
class Shape:
    vocabulary: int = _VOCABULARY
    width: int = 128
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1


class Encoder(nn.Module):
    """Token ids and their mask, both int64 [batch, sequence], to the scores of two classes."""

    def __init__(self, shape: Shape = Shape()) -> None:
        super().__init__()
        from transformers import BertConfig, BertForSequenceClassification

        config: Any = BertConfig(  # its dataclass hides the arguments of its base from checkers
            vocab_size=shape.vocabulary,
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.width,
            max_position_embeddings=128,
            hidden_dropout_prob=shape.dropout,
        )
        config.num_labels = 2
        self.bert: Any = BertForSequenceClassification(config)
        self.bert.set_attn_implementation("eager")

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        scores: Tensor = self.bert(input_ids=input_ids, attention_mask=attention_mask).logits
        return scores


def phrases(split: str, words: int = _VOCABULARY) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids and masks [samples, 32], and labels, of ``train`` or ``dev``."""
    vocabulary = _vocabulary(words)
    rows = sentences(split)
    ids = np.full((len(rows), LENGTH), _PADDING, np.int64)
    for index, (sentence, _) in enumerate(rows):
        tokens = sentence.split()[:LENGTH]
        ids[index, : len(tokens)] = [vocabulary.get(each, _UNKNOWN) for each in tokens]
    labels = np.array([label for _, label in rows], np.int64)
    numbers = torch.from_numpy(ids)
    return numbers, (numbers != _PADDING).long(), torch.from_numpy(labels)


def trained(cache: Path) -> Encoder:
    """Trained in about two minutes, or as it was kept in the folder ``cache``."""
    torch.manual_seed(0)
    model = Encoder()
    kept = cache / _WEIGHTS
    if kept.exists():
        model.load_state_dict(torch.load(kept, weights_only=True))
        return model.eval()
    _train(model)
    cache.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), kept)
    return model.eval()


def _train(model: Encoder) -> None:
    ids, mask, labels = phrases("train")
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
    model.train()
    for _ in range(_EPOCHS):
        for batch in torch.split(torch.randperm(len(ids)), _BATCH):
            width = max(int(mask[batch].sum(1).max()), 1)
            scores = model(ids[batch, :width], mask[batch, :width])
            loss = nn.functional.cross_entropy(scores, labels[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()


def _vocabulary(size: int) -> dict[str, int]:
    counts = Counter(word for sentence, _ in sentences("train") for word in sentence.split())
    words = [word for word, _ in counts.most_common(size - 2)]
    return {word: number for number, word in enumerate(words, start=2)}


def sentences(split: str) -> list[tuple[str, int]]:
    """With their labels, of ``train`` or ``dev``, in the file's order."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("TRIMTAB_TEST_DATA", beside)) / "sst2" / f"{split}.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(line["sentence"], int(line["label"])) for line in lines]
