"""A profile's operators and the layers they are of, whatever the runtime calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
from trimtab.campaign.layer_times import export_to_profile, times_of_layers
from trimtab.compress.passes import PassRejected
from trimtab.export.onnx_layers import LayerNode
from trimtab.operator_profile import OperatorTime
from trimtab.task import load_task

TASK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(4, 8, 3, padding=1)
        self.depthwise = nn.Conv1d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm = nn.BatchNorm1d(8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8, bias=False))
        self.shared = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.depthwise(self.stem(x)))).transpose(1, 2)
        x = x + self.mlp(x)
        return self.head(self.shared(self.shared(x)).mean(1))

def model():
    return Net()

def example_inputs():
    return torch.zeros(1, 4, 10)
"""


def operator(name: str, ms: float, kind: str = "Conv") -> OperatorTime:
    return OperatorTime(kind, name, "cpu", 1, ms, None)


RESIDUAL = (
    LayerNode("first", "node_a", "Conv", ("a", "relu_a")),
    LayerNode("second", "node_b", "Conv", ("b", "sum", "relu_sum")),
    LayerNode("shortcut", "node_c", "Conv", ("c", "sum", "relu_sum")),
)


def test_the_exported_file_tells_the_layer_of_each_weighted_node(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(TASK)
    task = load_task(tmp_path / "task.py", seed=0)

    nodes = export_to_profile(task.model, task, tmp_path / "model.onnx")

    layers = ["stem", "depthwise", "mlp.0", "mlp.2", "shared", "shared", "head"]
    assert [node.layer for node in nodes] == layers
    assert b"name_scopes" not in (tmp_path / "model.onnx").read_bytes()
    # The task keeps its inputs; what was made in inference mode no later training could take.
    assert not any(each.is_inference() for each in task.example_inputs)


@pytest.mark.parametrize(
    "names",
    [
        ("node_a", "node_b", "node_c"),
        ("fused node_a", "fused node_b", "node_c"),
        ("relu_a_nchwc", "relu_sum_nchwc", "c_nchwc"),
        ("relu_a_nchwc_token_7", "b_nchwc", "sum_nchwc_token_9"),
        ("0", "1", "2"),
    ],
)
def test_operators_are_matched_by_node_by_value_by_what_is_fused_behind_and_else_by_order(
    names: tuple[str, str, str],
) -> None:
    profile = [
        operator("reorder", 9.0, "ReorderInput"),
        *(operator(name, ms) for name, ms in zip(names, (1.0, 2.0, 3.0), strict=True)),
    ]

    times = times_of_layers(RESIDUAL, profile)

    assert times == {"first": 1.0, "second": 2.0, "shortcut": 3.0}


def test_names_count_more_than_order() -> None:
    profile = [operator(name, ms) for name, ms in (("c", 3.0), ("relu_sum", 2.0), ("a", 1.0))]

    assert times_of_layers(RESIDUAL, profile) == {"first": 1.0, "second": 2.0, "shortcut": 3.0}


def test_a_layer_that_runs_twice_takes_both_times() -> None:
    nodes = (
        LayerNode("shared", "n1", "MatMul", ("v1",)),
        LayerNode("shared", "n2", "MatMul", ("v2",)),
    )
    profile = [operator("n1/MatMulAddFusion", 1.0, "Gemm"), operator("n2", 2.0, "MatMul")]

    assert times_of_layers(nodes, profile) == {"shared": 3.0}


def test_operators_that_cannot_be_told_apart_are_refused() -> None:
    profile = [operator("0", 1.0), operator("1", 2.0)]

    with pytest.raises(PassRejected, match="2 convolutions that could be first, second, shortcut"):
        times_of_layers(RESIDUAL, profile)
