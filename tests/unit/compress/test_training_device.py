"""Where training runs, and what goes there with the model."""

import pytest
import torch
from torch import nn
from trimtab.compress.training import follow, training_device
from trimtab.compress.training.hardware import DEVICE_VARIABLE, moved
from trimtab.records import UserError


@pytest.fixture(autouse=True)
def no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEVICE_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("cuda", "mps", "wish", "expected"),
    [
        (True, True, "", "cuda"),
        (False, True, "", "mps"),
        (False, False, "", "cpu"),
        (True, True, "cpu", "cpu"),
        (True, False, "cuda:1", "cuda:1"),
    ],
)
def test_the_fastest_there_is_unless_another_is_wished(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, wish: str, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setenv(DEVICE_VARIABLE, wish)
    assert str(training_device()) == expected


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ("gpu", "'gpu', which is no device to train on"),
        ("meta", "'meta', which is no device to train on"),
        ("cuda", "'cuda', and torch has no such device here"),
    ],
)
def test_wish_that_cannot_be_met_is_told(
    monkeypatch: pytest.MonkeyPatch, wish: str, reason: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv(DEVICE_VARIABLE, wish)
    with pytest.raises(UserError, match=f"{DEVICE_VARIABLE} is {reason}"):
        training_device()


def test_batches_are_moved_whatever_holds_their_tensors() -> None:
    """To torch's device without memory, which every machine has."""
    meta = torch.device("meta")
    batch = (torch.zeros(2), {"mask": torch.ones(2)}, [torch.zeros(1), 3])
    first, named, (listed, number) = moved(batch, meta)
    assert {each.device.type for each in (first, named["mask"], listed)} == {"meta"}
    assert number == 3


def test_teacher_follows_the_inputs() -> None:
    teacher = nn.Linear(2, 2)
    assert follow(teacher, (torch.zeros(1, 2),)).weight.device.type == "cpu"
    assert follow(teacher, (torch.zeros(1, 2, device="meta"),)) is teacher
    assert teacher.weight.device.type == "meta"
