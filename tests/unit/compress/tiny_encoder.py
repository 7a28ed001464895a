"""A task: a tiny encoder of transformers, with random weights."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        config: Any = BertConfig(  # its dataclass hides the arguments of its base from checkers
            vocab_size=200,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=16,
        )
        self.bert: Any = BertForSequenceClassification(config)
        self.bert.set_attn_implementation("eager")

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        scores: Tensor = self.bert(input_ids=input_ids, attention_mask=attention_mask).logits
        return scores


def model() -> nn.Module:
    return Encoder()


def example_inputs() -> tuple[Tensor, ...]:
    return torch.ones(1, 8, dtype=torch.long), torch.ones(1, 8, dtype=torch.long)


def calibration_data() -> Iterator[tuple[Tensor, ...]]:
    tokens = torch.randint(0, 200, (32, 8))
    yield tokens, torch.ones_like(tokens)
