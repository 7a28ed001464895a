"""A BERT-shaped encoder on token numbers and masks, through every scheme in both formats."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from trimtab.compress.passes.quantization.quantize import Scheme
from trimtab.export import build_variants, load_exporter
from trimtab.project import PassStep, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task, load_task

pytestmark = pytest.mark.slow
pytest.importorskip("transformers")

FORMATS = ("onnx", "tflite")
SCHEMES: tuple[str, ...] = get_args(Scheme)
# Of float's bytes; dynamic ones in ONNX leave embeddings float, half of this model.
LARGEST_SHARE = {
    "static": 0.4,
    "static-int16": 0.45,
    "dynamic": 0.6,
    "dynamic-int4": 0.55,
    "weight-int8": 0.45,
    "weight-int4": 0.35,
    "fp16": 0.6,
}
TASK = """
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.bert = BertForSequenceClassification(BertConfig(
            vocab_size=1000, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=256, max_position_embeddings=64, num_labels=4,
            attn_implementation="eager"))
        with torch.no_grad():  # logits as large as a trained model's
            self.bert.classifier.weight.mul_(20)

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).logits

def tokens(count):
    lengths = torch.randint(4, 33, (count, 1))
    mask = (torch.arange(32) < lengths).long()
    return torch.randint(0, 1000, (count, 32)) * mask, mask

def model():
    return Encoder().eval()
def example_inputs():
    return torch.ones(1, 32, dtype=torch.long), torch.ones(1, 32, dtype=torch.long)
def calibration_data():
    torch.manual_seed(1)
    return [tokens(16) for _ in range(4)]
def eval_data():
    torch.manual_seed(2)
    return [(tokens(64), torch.zeros(64, dtype=torch.long))]
"""

Variants = dict[tuple[str, str], Variant]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    file = tmp_path_factory.mktemp("encoder") / "task.py"
    file.write_text(TASK)
    return load_task(file, seed=0)


@pytest.fixture(scope="module")
def variants(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    plans = [
        VariantPlan(each, FORMATS, (PassStep("quantize", {"scheme": each}),)) for each in SCHEMES
    ]
    made = build_variants(task, plans, tmp_path_factory.mktemp("variants"))
    return {(each.name, each.format): each for each in made}


def path_of(variant: Variant) -> Path:
    assert variant.artifact is not None, variant.failure
    return variant.artifact.files[0].path


def logits(variant: Variant, task: Task) -> np.ndarray:
    inputs = dict(zip(task.input_names, task.evaluation[0], strict=True))
    return load_exporter(variant.format).run(path_of(variant), inputs)[0]


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_answers_stay_those_of_the_float_encoder(
    variants: Variants, task: Task, scheme: str, model_format: str
) -> None:
    exact = logits(variants["float", model_format], task)
    difference = np.abs(logits(variants[scheme, model_format], task) - exact)
    allowed = 0.5 if "int4" in scheme else 0.15
    assert 0 < difference.mean() < allowed * exact.std()


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_files_shrink(variants: Variants, scheme: str, model_format: str) -> None:
    size = path_of(variants[scheme, model_format]).stat().st_size
    share = size / path_of(variants["float", model_format]).stat().st_size
    assert share < LARGEST_SHARE[scheme]


@pytest.mark.parametrize("model_format", FORMATS)
def test_masks_stay_float_and_that_is_told(variants: Variants, model_format: str) -> None:
    """An int8 range down to the lowest float would leave one step for everything else."""
    lineage = variants["static", model_format].lineage
    assert any("such as masks, stay float" in each for each in lineage)
