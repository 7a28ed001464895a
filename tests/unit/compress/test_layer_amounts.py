"""How much of each layer goes; the device's times are made up here."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest
from torch import nn
from trimtab.compress.passes import ModelContext, PassRejected
from trimtab.compress.passes.pruning.amounts import AmountRequest, LayerAmounts, layer_amounts
from trimtab.compress.passes.pruning.amounts_assignment import Layer, assign
from trimtab.compress.passes.pruning.amounts_cost import macs_of_modules, time_cost
from trimtab.task import Task, load_task

# "spare" has channels that do next to nothing; every one of "needed" carries an eighth of the
# answer. Both take as many multiply-accumulates; "late" takes few.
CONVNET = """
import torch
from torch import nn

def model():
    torch.manual_seed(0)
    net = nn.Sequential()
    net.add_module("spare", nn.Conv2d(8, 8, 3, padding=1, bias=False))
    net.add_module("needed", nn.Conv2d(8, 8, 3, padding=1, bias=False))
    net.add_module("pool", nn.AvgPool2d(8))
    net.add_module("late", nn.Conv2d(8, 8, 1, bias=False))
    net.add_module("flat", nn.Flatten())
    net.add_module("head", nn.Linear(8, 8, bias=False))
    with torch.no_grad():
        net.spare.weight[2:] *= 1e-4
        net.late.weight.copy_(torch.eye(8)[:, :, None, None] + 0.01)
        net.head.weight.copy_(torch.eye(8))
    return net.eval()

def example_inputs():
    return torch.zeros(1, 8, 8, 8)

def _images():
    return torch.randn(200, 8, 8, 8, generator=torch.Generator().manual_seed(1))
"""
VALIDATION = """
def validation_data():
    with torch.no_grad():
        yield _images(), model()(_images()).argmax(1)
"""
CALIBRATION = """
def calibration_data():
    yield _images()
"""
LAYERS = ("spare", "needed", "late")


@dataclass
class MadeUpDevice:
    """``times`` are of the whole model; but for ``rigid`` layers they go down with the work."""

    times: Mapping[str, float]
    rigid: str = ""
    name: str = "board"

    def layer_times(self, model: nn.Module, task: Task) -> Mapping[str, float]:
        whole, left = macs_of_modules(task.model, task), macs_of_modules(model, task)
        return {
            name: ms if name == self.rigid else ms * left.get(name, 1) / whole.get(name, 1)
            for name, ms in self.times.items()
        }

    def figure(self, path: Path, model_format: str, metric: str) -> float:
        raise AssertionError("layers' times are asked for")

    def operator_times(self, path: Path, model_format: str) -> Mapping[str, float]:
        raise AssertionError("layers' times are asked for")


@dataclass
class Asked:
    """A request in the making, and what was said meanwhile."""

    folder: Path
    said: list[str] = field(default_factory=list)

    def request(
        self, how: Literal["sensitivity", "profile"], data: str = VALIDATION, amount: float = 0.4
    ) -> AmountRequest:
        (self.folder / "task.py").write_text(CONVNET + data)
        task = load_task(self.folder / "task.py", seed=0)
        context = ModelContext(task, self.folder, self.said.append)
        return AmountRequest(task.model, amount, LAYERS, how, context, _prune)

    def profiled(
        self, times: Mapping[str, float], rigid: str = "", amount: float = 0.4
    ) -> LayerAmounts:
        request = self.request("profile", amount=amount)
        device = MadeUpDevice(times, rigid)
        context = replace(request.context, devices={"board": device}.__getitem__)
        return layer_amounts(replace(request, context=context, device="board"))


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def _prune(model: nn.Module, shares: Mapping[str, float]) -> nn.Module:
    """The channels with the least weights go, and what reads them."""
    smaller = copy.deepcopy(model)
    readers = {"spare": "needed", "needed": "late", "late": "head"}
    for name, share in shares.items():
        layer, reader = smaller.get_submodule(name), smaller.get_submodule(readers[name])
        assert isinstance(layer, nn.Conv2d)
        assert isinstance(reader, nn.Conv2d | nn.Linear)
        sizes = layer.weight.abs().flatten(1).sum(1)
        kept = sizes.argsort(descending=True)[: len(sizes) - round(share * len(sizes))]
        layer.weight = nn.Parameter(layer.weight[kept].detach())
        reader.weight = nn.Parameter(reader.weight[:, kept].detach())
    return smaller


def test_by_sensitivity_what_the_answers_hang_on_is_spared(asked: Asked) -> None:
    amounts = layer_amounts(asked.request("sensitivity"))

    assert set(amounts) == set(LAYERS)
    assert amounts["spare"] > 3 * amounts["needed"]
    assert (
        "multiply-accumulates saved; and by loss of the score on validation_data(), 1 before"
        in (amounts.summary)
    )
    assert amounts.summary.endswith(f"{amounts['spare']:.0%} (spare)")
    assert sum("of its channels go" in line for line in asked.said) == len(LAYERS)


def test_by_profile_what_costs_is_cut_and_what_takes_no_time_stays_whole(asked: Asked) -> None:
    times = {"spare": 0.1, "needed": 0.1, "late": 3.0, "head": 0.001}
    by_time = asked.profiled(times, amount=0.3)
    by_macs = layer_amounts(asked.request("sensitivity", amount=0.3))

    assert by_time["late"] > 0.25 > by_macs["late"]
    assert by_time["spare"] == 0.0
    assert "as measured on board: 3.201 ms whole, " in by_time.summary


def test_a_layer_that_is_no_faster_with_fewer_channels_is_not_cut_for_itself(asked: Asked) -> None:
    times = {"spare": 1.0, "needed": 1.0, "late": 1.0, "head": 0.5}

    assert asked.profiled(times)["late"] > 0.1
    assert asked.profiled(times, rigid="late")["late"] < 0.1


def test_without_validation_data_layers_are_judged_by_answers_on_calibration_data(
    asked: Asked,
) -> None:
    amounts = layer_amounts(asked.request("sensitivity", data=CALIBRATION))

    said = "share of answers changed on 200 samples of calibration_data()"
    assert said in asked.said[0]
    assert said in amounts.summary
    assert amounts["spare"] > amounts["needed"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda asked: asked.request("sensitivity", data=""), "calibration_data.. would do as"),
        (lambda asked: asked.request("sensitivity", amount=0.95), "loses at most 0.9"),
        (lambda asked: asked.request("profile"), "need a device to measure on; build with"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_what_to_do(
    make: Callable[[Asked], AmountRequest], said: str, asked: Asked
) -> None:
    with pytest.raises(PassRejected, match=said):
        layer_amounts(make(asked))


def test_a_device_that_saw_none_of_the_layers_is_refused(asked: Asked) -> None:
    with pytest.raises(PassRejected, match=r"no layer saves ms when it is cut by 40% .*round_to"):
        asked.profiled({"head": 0.0})


def _layer(name: str, cost: float, sensitivity: float) -> Layer:
    return Layer(name, cost, tuple((s, sensitivity * s**2) for s in (0.25, 0.5, 0.75)))


def test_the_costs_add_up_and_the_last_bit_saved_loses_the_same_everywhere() -> None:
    layers = [_layer("a", 1.0, 1.0), _layer("b", 2.0, 1.0), _layer("c", 4.0, 8.0)]

    shares = assign(layers, 0.3)

    assert sum(each.cost * shares[each.name] for each in layers) == pytest.approx(0.3 * 7)
    unseen = 0.05 * 10 / 3
    last_bits = [2 * (each.sensitivity + unseen) * shares[each.name] / each.cost for each in layers]
    assert last_bits == pytest.approx([last_bits[0]] * 3)


def test_what_one_layer_cannot_give_the_others_do() -> None:
    layers = [_layer("free", 1.0, 0.0), _layer("dear", 1.0, 1.0), _layer("spared", 0.01, 0.0)]

    shares = assign(layers, 0.6, frozenset({"spared"}))

    assert shares["free"] == 0.9
    assert shares["dear"] == pytest.approx(0.6 * 2.01 - 0.9)
    assert shares["spared"] == 0.0


def test_layers_that_all_seem_free_are_cut_by_what_they_cost() -> None:
    layers = [_layer("a", 1.0, 0.0), _layer("b", 2.0, 0.0)]

    shares = assign(layers, 0.2)

    assert shares["b"] == pytest.approx(2 * shares["a"])
    assert shares["a"] + 2 * shares["b"] == pytest.approx(0.6)


def test_time_of_weights_that_attention_uses_itself_is_the_attentions(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)\n"
        "    def forward(self, x):\n"
        "        return self.attention(x, x, x, need_weights=False)[0]\n"
        "def model(): return Net()\n"
        "def example_inputs(): return torch.zeros(1, 5, 8)\n"
    )
    task = load_task(tmp_path / "task.py", seed=0)
    macs = macs_of_modules(task.model, task)
    cost, _ = time_cost(task.model, task.model, task, MadeUpDevice({"attention.out_proj": 2.0}))

    assert macs["attention"] == macs[""] >= 5 * 8 * 8 * 4
    assert cost.saved(nn.Identity()) == 2.0
