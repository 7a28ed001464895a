"""What a runtime on a device says of a model before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SupportOutcome = Literal["supported", "partly", "refused", "does not run", "absent", "failed"]


@dataclass(frozen=True)
class Support:
    """One file in one runtime on one accelerator of one device.

    ``outcome``: "partly": it runs, some operators elsewhere than asked. "refused": it does not
    load; "does not run": it loads, and its first run fails. "absent": the device has no such
    runtime or accelerator. "failed": it could not be asked. ``reason``: the runtime's own,
    shortened. ``unsupported``: what it names in it: the first that it met, perhaps not all.
    ``operators``: where -> type -> how many, as the runtime tells; ``operators_unavailable``: why
    there are none.
    """

    file: str
    format: str
    device: str
    runtime: str
    accelerator: str
    outcome: SupportOutcome
    runtime_version: str = ""
    accelerator_used: str = ""
    reason: str = ""
    unsupported: tuple[str, ...] = ()
    operators: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    operators_unavailable: str = ""
    warnings: tuple[str, ...] = ()
    advice: str = ""
