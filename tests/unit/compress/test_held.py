"""What a pass established stays through the training that follows it."""

import torch
from torch import nn
from trimtab.compress import held
from trimtab.compress.passes.sparsity.masks import Zeros


def masked(model: nn.Linear) -> None:
    held.hold(model, {"weight": Zeros(torch.tensor([[False, True, False]]))})


def test_restoring_puts_back_what_is_held_and_leaves_the_rest() -> None:
    model = nn.Linear(3, 1)
    masked(model)
    bias = model.bias.detach().clone()
    held.restore(model)
    assert model.weight[0, 1] == 0
    assert (model.weight[0, [0, 2]] != 0).all()
    assert torch.equal(model.bias, bias)


def test_what_is_held_goes_over_to_a_model_made_from_it_where_shapes_agree() -> None:
    source, alike, other = nn.Linear(3, 1), nn.Linear(3, 1), nn.Linear(4, 1)
    masked(source)
    held.carry_over(source, alike)
    held.carry_over(source, other)
    assert list(held.held(alike)) == ["weight"]
    assert held.held(other) == {}
