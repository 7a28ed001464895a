"""A Hugging Face encoder: token ids, a mask, and a sequence whose length stays open."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
TASK = """
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.bert = BertForSequenceClassification(BertConfig(
            vocab_size=500, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=128, max_position_embeddings=64))
        self.bert.set_attn_implementation("eager")

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).logits

def model():
    torch.manual_seed(0)
    return Encoder().eval()

def example_inputs():
    return torch.ones(1, 24, dtype=torch.long), torch.ones(1, 24, dtype=torch.long)

def dynamic_shapes():
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=64)
    return ({0: batch, 1: length}, {0: batch, 1: length})

def batches(seed):
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 500, (64, 24), generator=random)
    mask = (torch.arange(24) < torch.randint(4, 25, (64, 1), generator=random)).long()
    return ids, mask

def calibration_data():
    yield batches(1)

def eval_data():
    ids, mask = batches(2)
    with torch.no_grad():
        yield (ids, mask), model()(ids, mask).argmax(1)
"""
PROJECT = """
[task]
module = "task.py"

[[variant]]
name = "dynamic"
passes = [{ use = "quantize", scheme = "dynamic" }]

[[variant]]
name = "static"
passes = [{ use = "quantize", scheme = "static", samples = 32 }]

[measure]
repeats = 1
min_duration_s = 0.02
warmup_s = 0.02
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "trimtab.toml").write_text(PROJECT)
    return tmp_path


def test_an_encoder_is_compressed_measured_and_takes_any_length(
    trimtab: Trimtab, project: Path
) -> None:
    run = trimtab("run", "--format", "json")

    results = json.loads(run.stdout)["results"]
    made = {(each["variant"], each["artifact"]["format"]): each for each in results}
    assert {name for name, _ in made} == {"float", "dynamic", "static"}
    assert {form for _, form in made} == {"onnx", "tflite"}
    for result in results:
        assert result["error"] is None, result["error"]
        assert result["metrics"]["agreement"]["value"] >= 0.8
    float_size = made["float", "onnx"]["artifact"]["size_bytes"]
    assert made["dynamic", "onnx"]["artifact"]["size_bytes"] < float_size

    for name in ("float", "dynamic"):
        file = project / "trimtab-build" / f"{name}.onnx"
        shapes = [f"--shape={tensor}=1x17" for tensor in ("input_ids", "attention_mask")]
        bench = trimtab("bench", file, *shapes, "--repeats", 1, "--format", "json")
        assert bench.returncode == 0, bench.stderr
        (measured,) = json.loads(bench.stdout)["results"]
        assert measured["settings"]["input_shapes"]["input_ids"] == [1, 17]
