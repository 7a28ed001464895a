"""What may befall an image on its way to the model: noise, blur, brightness, a shifted crop.

The strengths are those of CIFAR-10-C at severities 1 to 5 (Hendrycks and Dietterich 2019,
"Benchmarking neural network robustness to common corruptions and perturbations"), carried over to
any normalisation and size: what is added is measured in standard deviations of the data's own
channels (CIFAR-10's is 0.25 of the full range), the blur against the shorter side (32 pixels
there). The shift is ours: CIFAR-10-C has none.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BUILT_IN = ("noise", "blur", "brightness", "crop")
_STD_OF_CIFAR10 = 0.25
_SIDE_OF_CIFAR10 = 32
_NOISE = (0.04, 0.06, 0.08, 0.09, 0.10)  # of the full range
_BLUR = (0.4, 0.6, 0.7, 0.8, 1.0)  # pixels
_BRIGHTNESS = (0.05, 0.10, 0.15, 0.20, 0.30)  # of the full range
_CROP = (1, 2, 3, 4, 5)  # pixels
_CHANNELS = (1, 3, 4)
_SMALLEST_SIDE = 8

Images = npt.NDArray[Any]
_Floats = npt.NDArray[np.float32]


class NotImages(Exception):
    """The inputs are not images by their shape; the text says what they are."""


@dataclass(frozen=True)
class _Form:
    """Where an image's rows, columns and channels stand; ``channel`` None: it has no such axis."""

    spatial: tuple[int, int]
    channel: int | None


@dataclass(frozen=True)
class _Range:
    """Of the data, channel by channel, in shapes that broadcast."""

    std: _Floats
    low: _Floats
    high: _Floats


class ImageCorruptions:
    """The built-in corruptions of some images, whose range they keep.

    Raises NotImages where the arrays are not images.
    """

    def __init__(self, images: Images, severity: int, seed: int) -> None:
        self._form = _form(images)
        self._range = _range(images, self._form)
        self._images = images
        self._level = severity - 1
        self._seed = seed

    def apply(self, name: str) -> Images:
        """The same for the same seed; of the same type, within the range of each channel."""
        images = self._images
        random = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
        changed = _CORRUPTIONS[name](self, images.astype(np.float32), random)
        clipped = np.clip(changed, self._range.low, self._range.high)
        if np.issubdtype(images.dtype, np.integer):
            clipped = np.round(clipped)
        return clipped.astype(images.dtype)

    def _noise(self, images: _Floats, random: np.random.Generator) -> _Floats:
        scale = _NOISE[self._level] / _STD_OF_CIFAR10 * self._range.std
        return images + random.standard_normal(images.shape, dtype=np.float32) * scale

    def _blur(self, images: _Floats, random: np.random.Generator) -> _Floats:
        from scipy.ndimage import gaussian_filter

        side = min(images.shape[axis] for axis in self._form.spatial)
        sigma = [0.0] * images.ndim
        for axis in self._form.spatial:
            sigma[axis] = _BLUR[self._level] * side / _SIDE_OF_CIFAR10
        blurred: _Floats = gaussian_filter(images, sigma, mode="nearest")
        return blurred

    def _brightness(self, images: _Floats, random: np.random.Generator) -> _Floats:
        return images + _BRIGHTNESS[self._level] / _STD_OF_CIFAR10 * self._range.std

    def _crop(self, images: _Floats, random: np.random.Generator) -> _Floats:
        """Each image shifted along both axes, its edge repeated; the directions are drawn."""
        shifted = images.copy()
        for axis in self._form.spatial:
            length = images.shape[axis]
            by = max(1, round(_CROP[self._level] * length / _SIDE_OF_CIFAR10))
            backwards = random.random(len(images)) < 0.5
            for rows, step in ((backwards, -by), (~backwards, by)):
                source = np.clip(np.arange(length) - step, 0, length - 1)
                shifted[rows] = np.take(shifted[rows], source, axis=axis)
        return shifted


_CORRUPTIONS: dict[str, Callable[[ImageCorruptions, _Floats, np.random.Generator], _Floats]] = {
    "noise": ImageCorruptions._noise,
    "blur": ImageCorruptions._blur,
    "brightness": ImageCorruptions._brightness,
    "crop": ImageCorruptions._crop,
}


def _form(images: Images) -> _Form:
    """NCHW, NHWC or NHW, by where 1, 3 or 4 channels stand. Raises NotImages."""
    shape = images.shape
    if images.dtype.kind not in "fiu":
        raise NotImages(f"inputs of type {images.dtype}")
    forms = [
        form
        for form, fits in (
            (_Form((2, 3), 1), len(shape) == 4 and shape[1] in _CHANNELS),
            (_Form((1, 2), 3), len(shape) == 4 and shape[3] in _CHANNELS),
            (_Form((1, 2), None), len(shape) == 3),
        )
        if fits and min(shape[axis] for axis in form.spatial) >= _SMALLEST_SIDE
    ]
    if len(forms) != 1:
        listed = " x ".join(str(length) for length in shape[1:]) or "a number"
        raise NotImages(f"one sample is {listed}")
    return forms[0]


def _range(images: Images, form: _Form) -> _Range:
    others = tuple(axis for axis in range(images.ndim) if axis != form.channel)
    return _Range(
        std=images.std(axis=others, keepdims=True, dtype=np.float32),
        low=images.min(axis=others, keepdims=True).astype(np.float32),
        high=images.max(axis=others, keepdims=True).astype(np.float32),
    )
