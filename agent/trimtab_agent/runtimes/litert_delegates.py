"""LiteRT's delegates as accelerators: libraries of their own, loaded by name.

Which file a name stands for is said here or by the device's owner (``trimtab-agent serve --delegate
NAME=FILE``), never over the wire: a library is code.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trimtab_agent.runtimes.base import AcceleratorMissing
from trimtab_agent.runtimes.options import ON_OFF, Values
from trimtab_agent.runtimes.reasons import one_line

VARIABLE = "TRIMTAB_LITERT_DELEGATES"
"""``NAME=FILE`` each, between os.pathsep: how workers hear what the owner of the device allowed."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class Delegate:
    """``library``: as the dynamic linker finds it, or the owner's own file. ``fixed``: options that
    it is always given; ``options``: those that a user may set."""

    library: str
    package: str
    options: Mapping[str, Values] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)


KNOWN: Mapping[str, Delegate] = {
    "edgetpu": Delegate(
        "libedgetpu.so.1",
        "install Coral's libedgetpu1-std",
        {"device": ("usb", "pci", ":0", ":1", "usb:0", "usb:1", "pci:0", "pci:1")},
    ),
    "gpu": Delegate(
        "libtensorflowlite_gpu_delegate.so",
        "build TensorFlow Lite's GPU delegate as a shared library",
    ),
    "nnapi": Delegate(
        "libnnapi_external_delegate.so", "build TensorFlow Lite's NNAPI delegate for Android"
    ),
    "qnn": Delegate(
        "libQnnTFLiteDelegate.so",
        "install Qualcomm's AI Engine Direct SDK",
        {
            "backend_type": ("htp", "gpu", "dsp"),
            "htp_performance_mode": tuple(str(mode) for mode in range(10)),
            "htp_precision": ("0", "1"),
            "htp_use_conv_hmx": ON_OFF,
        },
        {"backend_type": "htp"},
    ),
}


class DelegateSettingError(ValueError):
    """What the owner wrote is no ``NAME=FILE``; one line says why."""


def parse_delegate(text: str) -> tuple[str, str]:
    """Raises DelegateSettingError."""
    name, separator, library = text.partition("=")
    if not separator or not _NAME.fullmatch(name) or name == "cpu":
        raise DelegateSettingError(f"{text!r}: write NAME=FILE, for example edgetpu=/usr/lib/x.so")
    if not Path(library).is_absolute() or os.pathsep in library:
        raise DelegateSettingError(f"{text!r}: FILE must be an absolute path without {os.pathsep}")
    return name, library


def delegates() -> dict[str, Delegate]:
    """The known ones and the owner's own, whose file counts where both have a name."""
    found = dict(KNOWN)
    for text in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        try:
            name, library = parse_delegate(text)
        except DelegateSettingError:
            continue  # the agent said so when it started
        own = Delegate(library, "correct the agent's --delegate")
        known = KNOWN.get(name, own)
        found[name] = replace(own, options=known.options, fixed=known.fixed)
    return found


def missing(delegate: Delegate) -> str:
    """Why its library cannot be loaded; empty where it can. Loads it: ask in a worker only."""
    try:
        ctypes.CDLL(delegate.library)
    except OSError as error:
        return f"{one_line(str(error))}: {delegate.package}"
    return ""


def load(make: Callable[..., Any], name: str, delegate: Delegate, chosen: Mapping[str, str]) -> Any:
    """``make`` is the package's ``load_delegate``. Raises AcceleratorMissing with its reason."""
    reason = missing(delegate)
    if reason:
        raise AcceleratorMissing(f"{name} cannot be used here: {reason}")
    own = {key: value for key, value in chosen.items() if key in delegate.options}
    try:
        return make(delegate.library, {**delegate.fixed, **own})
    except (ValueError, RuntimeError, AttributeError, OSError) as error:
        reason = one_line(str(error)) or "it did not say why"
        raise AcceleratorMissing(f"{name} cannot be set up here: {reason}") from error
