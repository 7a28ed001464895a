"""A quantized model's file beside what it computes itself, and beside the float model."""

from pathlib import Path

import numpy as np
import pytest
from trimtab.export import Exporter, ExportFailed, ExportRequest, Reference
from trimtab.export.verify import compare
from trimtab.task import Arrays, NamedArrays

SCORES = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)
NOISE = np.random.default_rng(1).normal(size=SCORES.shape).astype(np.float32)


def noisy(decibels: float, sign: int = 1) -> np.ndarray:
    """The scores with noise of that much less power than their own."""
    power = np.var(SCORES) / 10 ** (decibels / 10)
    return np.asarray(SCORES + sign * NOISE * np.sqrt(power / np.mean(NOISE**2)))


class Replayed(Exporter):
    format = "replayed"
    suffix = ".replayed"

    def __init__(self, outputs: Arrays) -> None:
        self._outputs = outputs

    def export(self, request: ExportRequest, target: Path) -> str:
        raise NotImplementedError

    def run(self, path: Path, inputs: NamedArrays) -> Arrays:
        return self._outputs


def reference(quantizing_db: float) -> Reference:
    """Of a model whose outputs are the scores, quantized from one with this noise beside them."""
    return Reference({"x": SCORES}, (SCORES,), (noisy(quantizing_db),))


def test_both_distances_are_told() -> None:
    text = str(compare((noisy(30),), reference(24)))
    assert "differ from the fake-quantized model's by at most" in text
    assert "SQNR 30.0 dB, at least 20.0 asked" in text
    assert "the outputs differ from the float model's by at most" in text


@pytest.mark.parametrize(("quantizing_db", "needed_db"), [(45.0, 20.0), (15.0, 15.0), (3.0, 10.0)])
def test_file_may_be_as_noisy_as_quantizing_was_within_limits(
    quantizing_db: float, needed_db: float
) -> None:
    wanted = reference(quantizing_db)
    assert Replayed((noisy(needed_db + 0.5, -1),)).verify(Path("f"), wanted).with_float
    with pytest.raises(ExportFailed, match=r"the file is not the model: .* SQNR .* asked\)"):
        Replayed((noisy(needed_db - 0.5, -1),)).verify(Path("f"), wanted)


def test_outputs_in_another_order_are_refused() -> None:
    with pytest.raises(ExportFailed, match="the file is not the model"):
        Replayed((SCORES[:, ::-1],)).verify(Path("f"), reference(3))


def test_float_file_is_still_judged_by_its_numbers() -> None:
    with pytest.raises(ExportFailed, match="the file is not the model"):
        Replayed((noisy(40),)).verify(Path("f"), Reference({"x": SCORES}, (SCORES,)))


def test_constant_output_has_its_own_power_for_a_signal() -> None:
    constant = np.full((4, 1), 5.0, np.float32)
    same = compare((constant,), Reference({"x": constant}, (constant,), (constant,)))
    assert same.sqnr_db == float("inf")
    off = compare((constant * 1.1,), Reference({"x": constant}, (constant,), (constant,)))
    assert off.sqnr_db == pytest.approx(20.0, abs=1e-3)
