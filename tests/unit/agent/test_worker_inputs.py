"""From files and seeds to what a model's tensors store."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from trimtab_agent.records import TensorInfo
from trimtab_agent.runtimes.base import ModelRefused, Quantization, TensorSpec
from trimtab_agent.worker.conversion import to_real, to_tensor
from trimtab_agent.worker.inputs import (
    batch_size,
    check_shapes,
    first_batch,
    match_arrays,
    random_inputs,
    read_arrays,
)


def spec(
    name: str, dtype: str, *dimensions: int, quantization: Quantization | None = None
) -> TensorSpec:
    return TensorSpec(TensorInfo(name, dtype, dimensions), quantization)


def test_arrays_are_matched_by_name_before_order() -> None:
    inputs = [spec("ids", "int64", 1, 4), spec("mask", "int64", 1, 4)]
    ids, mask = np.zeros((1, 4)), np.ones((1, 4))
    by_name = match_arrays({"mask": mask, "labels": ids, "ids": ids}, inputs)
    assert [array is expected for (_, array), expected in zip(by_name, (ids, mask), strict=True)]
    assert by_name[1][1] is mask
    by_order = match_arrays({"a": mask, "b": ids}, inputs)
    assert by_order[0][1] is mask
    with pytest.raises(ModelRefused, match="holds a, b, c; the model wants ids, mask"):
        match_arrays({"a": ids, "b": ids, "c": ids}, inputs)


def test_the_first_batch_of_a_larger_file_is_taken() -> None:
    array = np.arange(20, dtype=np.float32).reshape(10, 2)
    fixed = first_batch({"x": array}, [spec("x", "float32", 4, 2)], {})
    np.testing.assert_array_equal(fixed["x"], array[:4])
    open_batch = first_batch({"x": array}, [spec("x", "float32", -1, 2)], {})
    assert open_batch["x"].shape == (1, 2)
    given = first_batch({"x": array}, [spec("x", "float32", -1, 2)], {"x": (5, 2)})
    assert given["x"].shape == (5, 2)
    with pytest.raises(ModelRefused, match="has 10 samples, a batch of the model is 16"):
        first_batch({"x": array}, [spec("x", "float32", 16, 2)], {})


def test_inputs_without_a_common_batch_run_on_arrays_of_their_own_shapes() -> None:
    inputs = [spec("image", "float32", 1, 8), spec("anchors", "float32", 5, 4)]
    arrays = {"image": np.zeros((1, 8)), "anchors": np.zeros((5, 4))}
    bound = first_batch(arrays, inputs, {})
    assert bound["anchors"].shape == (5, 4)
    with pytest.raises(ModelRefused, match="differ in their first axis"):
        batch_size(inputs, {})


def test_random_inputs_repeat_with_the_seed_and_suit_the_dtype() -> None:
    inputs = [
        spec("pixels", "float32", -1, 64),
        spec("bytes", "int8", 1, 2000),
        spec("tokens", "int64", 1, 64),
    ]
    first, again = random_inputs(inputs, {}, 7), random_inputs(inputs, {}, 7)
    other = random_inputs(inputs, {}, 8)
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
        assert not np.array_equal(array, other[name])
    assert first["pixels"].dtype == np.float32
    assert first["pixels"].shape == (1, 64)
    assert 0 <= first["pixels"].min() < first["pixels"].max() < 1
    assert (first["bytes"].min(), first["bytes"].max()) == (-128, 127)
    assert set(first["tokens"].ravel().tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([-128, 0, 127], dtype=np.int8), [-128, 0, 127]),
        (np.array([0, 128, 255], dtype=np.uint8), [-128, 0, 127]),
        (np.array([-5.0, 10.4, 999.0], dtype=np.float32), [-128, -118, 127]),
    ],
)
def test_real_values_are_quantized_and_stored_ones_kept(
    array: NDArray[Any], expected: list[int]
) -> None:
    target = spec("x", "int8", 3, quantization=Quantization(1.0, -128))
    stored = to_tensor(array, target)
    assert stored.dtype == np.int8
    assert stored.tolist() == expected


def test_dequantized_outputs_are_real_and_plain_integers_stay() -> None:
    quantized = spec("y", "uint8", 2, quantization=Quantization(0.5, 10))
    assert to_real(np.array([10, 12], dtype=np.uint8), quantized).tolist() == [0.0, 1.0]
    labels = np.array([2**60], dtype=np.int64)
    assert to_real(labels, spec("y", "int64", 1)).tolist() == [2**60]


def test_integers_must_fit_and_floats_are_no_integers() -> None:
    tokens = spec("ids", "int32", 1, 2)
    assert to_tensor(np.array([[5, 6]], dtype=np.int64), tokens).dtype == np.int32
    with pytest.raises(ModelRefused, match="values of the file do not fit"):
        to_tensor(np.array([[5, 2**40]], dtype=np.int64), tokens)
    with pytest.raises(ModelRefused, match="without a scale, the file holds float32"):
        to_tensor(np.array([[0.5, 1]], dtype=np.float32), tokens)


def test_integer_images_become_floats_of_the_same_values() -> None:
    half = to_tensor(np.array([[0, 255]], dtype=np.uint8), spec("x", "float16", 1, 2))
    assert half.dtype == np.float16
    assert half.tolist() == [[0.0, 255.0]]


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06 not a zip", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.npz"
    path.write_bytes(content)
    with pytest.raises(ModelRefused, match=r"not a readable \.npz"):
        read_arrays(path)


def test_a_bare_array_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "in.npy"
    np.save(path, np.zeros(3))
    with pytest.raises(ModelRefused, match=r"save them with numpy\.savez"):
        read_arrays(path)


def test_every_input_with_open_dimensions_is_named_with_a_form_to_fill_in() -> None:
    inputs = [
        spec("image", "float32", -1, 3, -1, -1),
        spec("size", "int64", 2),
        spec("tokens", "int64", 2, -1),
    ]
    with pytest.raises(ModelRefused) as caught:
        random_inputs(inputs, {}, 0)
    assert str(caught.value) == (
        "inputs with open dimensions: image ?x3x?x?, tokens 2x?: give "
        "--shape image=1x3xNxN --shape tokens=2xN, a number for each N"
    )
    with pytest.raises(ModelRefused, match=r"dimensions: tokens 2x\?: give --shape tokens=2xN,"):
        random_inputs(inputs, {"image": (1, 3, 8, 8)}, 0)
    bound = random_inputs(inputs, {"image": (1, 3, 8, 8), "tokens": (2, 5)}, 0)
    assert [array.shape for array in bound.values()] == [(1, 3, 8, 8), (2,), (2, 5)]


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ({"img": (1, 3)}, "no input 'img'; the model has image"),
        ({"image": (1, 3, 8)}, "is ?x3x?x? in the file, the shape given is 1x3x8: give 4 sizes"),
        ({"image": (1, 4, 8, 8)}, "the shape given is 1x4x8x8: export the model with that shape"),
    ],
)
def test_a_shape_that_does_not_fit_says_what_would(
    shapes: dict[str, tuple[int, ...]], said: str
) -> None:
    with pytest.raises(ModelRefused) as caught:
        check_shapes([spec("image", "float32", -1, 3, -1, -1)], shapes)
    assert said in str(caught.value)
