"""The built-in corruptions keep shape, type and range of the images, whatever normalisation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from trimtab.records import EvaluationSet, UserError
from trimtab.task import CorruptionPlan, Task, check_corruptions, evaluation_set, load_task
from trimtab.task.corruptions import BUILT_IN, ImageCorruptions, NotImages

Images = npt.NDArray[Any]
TASK = """
import numpy as np
import torch
def model():
    return torch.nn.Flatten()
def example_inputs():
    return torch.zeros(1, {shape})
def eval_data():
    images = torch.rand(40, {shape}, generator=torch.Generator().manual_seed(0))
    yield images, torch.arange(40) % 4
"""


def photographs(count: int = 6, side: int = 32) -> Images:
    """NCHW in 0 to 1, smooth enough for a blur to leave something."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    random = np.random.default_rng(0)
    across, down = random.uniform(1, 5, (2, 3 * count))
    waves = [np.sin(a * rows + b * columns) for a, b in zip(across, down, strict=True)]
    return ((np.reshape(waves, (count, 3, side, side)) + 1) / 2).astype(np.float32)


def corrupted(name: str, images: Images, severity: int = 3) -> Images:
    return ImageCorruptions(images, severity, seed=0).apply(name)


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int8"])
def test_type_shape_and_range_stay_and_the_seed_decides(name: str, dtype: str) -> None:
    scale = {"uint8": 255, "int8": 127}.get(dtype, 1)
    images = (photographs() * scale).astype(dtype)
    changed = corrupted(name, images)
    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    assert images.min() <= changed.min()
    assert changed.max() <= images.max()
    assert not np.array_equal(changed, images)
    assert np.array_equal(changed, corrupted(name, images))


@pytest.mark.parametrize("name", BUILT_IN)
def test_channels_may_stand_first_or_last(name: str) -> None:
    images = photographs()
    first = corrupted(name, images)
    if name == "noise":  # drawn in another order, but equally strong
        last = corrupted(name, images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        assert np.std(last - images) == pytest.approx(np.std(first - images), rel=0.05)
        return
    last = corrupted(name, images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert np.allclose(last, first, atol=1e-6)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_normalisation_of_the_data_makes_no_difference(name: str) -> None:
    """Standardised pixels are corrupted as the pixels are."""
    images = photographs()
    standardised = (images - 0.4) / 0.2
    assert np.allclose(
        corrupted(name, standardised) * 0.2 + 0.4, corrupted(name, images), atol=1e-5
    )


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_higher_severity_changes_more(name: str) -> None:
    images = photographs()
    changes = [float(np.abs(corrupted(name, images, level) - images).mean()) for level in (1, 3, 5)]
    assert changes == sorted(changes)
    assert changes[0] < changes[-1]


def test_a_crop_shifts_whole_images_by_a_few_pixels_and_repeats_the_edge() -> None:
    images = photographs(40)
    shifted = corrupted("crop", images, severity=2)
    corners = set()
    for was, now in zip(images, shifted, strict=True):
        (found,) = [
            (down, right)
            for down in (-2, 2)
            for right in (-2, 2)
            if np.array_equal(
                now[:, 4:-4, 4:-4], np.roll(was, (down, right), (1, 2))[:, 4:-4, 4:-4]
            )
        ]
        corners.add(found)
        edge = now[:, 0] if found[0] > 0 else now[:, -1]
        assert np.array_equal(edge, now[:, 1] if found[0] > 0 else now[:, -2])
    assert len(corners) == 4


def test_brightness_shifts_by_the_datas_own_spread_and_noise_has_that_scale() -> None:
    images = photographs(20)
    std = images.std(axis=(0, 2, 3), keepdims=True)
    inside = images < images.max() - 0.4  # what is clipped is less bright
    shift = (corrupted("brightness", images) - images) / std
    assert np.allclose(shift[inside], 0.15 / 0.25, atol=1e-4)
    middle = np.abs(images - 0.5) < 0.2
    noise = (corrupted("noise", images) - images) / std
    assert np.std(noise[middle]) == pytest.approx(0.08 / 0.25, rel=0.05)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((9, 64), "float32"), ((9, 5, 32, 32), "float32"), ((9, 3, 4, 4), "float32"),
     ((9, 3, 32, 3), "float32"), ((9,), "float32"), ((9, 3, 32, 32), "bool")],
)  # fmt: skip
def test_what_is_no_image_is_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(NotImages):
        ImageCorruptions(np.zeros(shape, dtype), 3, 0)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Task]:
    def write_and_load(extra: str = "", shape: str = "3, 16, 16", seed: int = 3) -> Task:
        (tmp_path / "task.py").write_text(TASK.format(shape=shape) + extra)
        return load_task(tmp_path / "task.py", seed)

    return write_and_load


Load = Callable[..., Task]


def made(task: Task, folder: Path, *names: str, samples: int = 10) -> EvaluationSet:
    found = evaluation_set(task, folder, CorruptionPlan(names, samples))
    assert found is not None
    return found


def test_the_clean_samples_come_first_and_the_copies_are_of_drawn_ones(
    load: Load, tmp_path: Path
) -> None:
    task = load()
    made_set = made(task, tmp_path / "a", "noise", "blur")
    assert made_set.sample_count == len(made_set.targets) == 40
    assert made_set.corrupted is not None
    samples = made_set.corrupted.samples
    assert len(set(samples)) == 10
    assert len(set(made_set.targets[samples])) > 1
    (images,) = np.load(made_set.path).values()
    assert len(images) == 40 + 2 * 10
    assert np.array_equal(images[:40], task.evaluation[0][0])
    noisy, blurred = images[40:50], images[50:]
    clean = images[samples]
    assert 0 < np.abs(noisy - clean).mean() < 0.2
    assert blurred.std() < clean.std()
    again = made(load(), tmp_path / "b", "noise", "blur")
    assert again.digest == made_set.digest


def test_without_corruptions_the_file_is_as_it_always_was(load: Load, tmp_path: Path) -> None:
    plain = evaluation_set(load(), tmp_path / "a")
    asked_for_none = made(load(), tmp_path / "b")
    assert plain is not None
    assert plain.corrupted is asked_for_none.corrupted is None
    assert plain.digest == asked_for_none.digest
    assert np.load(plain.path)["input"].shape == (40, 3, 16, 16)


def test_a_tasks_own_corruption_goes_before_the_built_in_one(load: Load, tmp_path: Path) -> None:
    own = "def corruptions():\n    return {'noise': lambda x: 1 - x, 'dark': lambda x: x * 0}\n"
    found = made(load(own), tmp_path / "a", "noise", "dark", "blur")
    (images,) = np.load(found.path).values()
    assert found.corrupted is not None
    clean = images[found.corrupted.samples]
    assert np.allclose(images[40:50], 1 - clean)
    assert not images[50:60].any()
    assert images[60:].any()


@pytest.mark.parametrize(
    ("extra", "shape", "name", "message"),
    [
        ("", "64", "blur", "blur is for images, this is no image task: one sample is 64"),
        ("", "3, 16, 16", "rain", "there is no corruption rain; allowed: noise, blur"),
        ("def corruptions():\n    return 3\n", "64", "rain", r"must give \{name: function"),
        ("def corruptions():\n    return {'r': lambda x: x[:1]}\n", "64", "r", "of the shape"),
        ("def corruptions():\n    return {'r': lambda x: x / 0}\n", "64", "r", "finite inputs"),
        (
            "def corruptions():\n    return {'r': lambda x: 1 / 0}\n",
            "64",
            "r",
            r"task\.py:\d+: corruption r failed: ZeroDivisionError",
        ),
    ],
)
def test_what_cannot_be_corrupted_is_one_line(
    load: Load, tmp_path: Path, extra: str, shape: str, name: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        made(load(extra, shape), tmp_path / "a", name)
    assert "\n" not in caught.value.message
    assert caught.value.advice


def test_an_unknown_corruption_is_found_before_anything_is_built(load: Load) -> None:
    with pytest.raises(UserError, match="rain; allowed: noise, blur, brightness, crop"):
        check_corruptions(load(), ["rain"])
    check_corruptions(load(), ["blur", "crop"])


def test_class_names_are_the_tasks_own_and_as_many_as_classes(load: Load, tmp_path: Path) -> None:
    names = "def class_names():\n    return ['a', 'b', 'c', 'd']\n"
    assert made(load(names), tmp_path / "a").class_names == ("a", "b", "c", "d")
    assert made(load(), tmp_path / "b").class_names == ()
    with pytest.raises(UserError, match="4 different names"):
        made(load("def class_names():\n    return ['a', 'b']\n"), tmp_path / "c")
