"""LiteRT with a busy-wait after each inference: a slow-down of known size, for benchmarks."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from trimtab_agent.records import RuntimeInfo
from trimtab_agent.runtimes.base import Runtime, RuntimeOptions, Session
from trimtab_agent.runtimes.litert import LiteRt


class SlowedSession(Session):
    """Everything is the inner session's; only ``run`` takes ``wait_ns`` longer."""

    def __init__(self, inner: Session, wait_ns: int) -> None:
        self._inner = inner
        self._wait_ns = wait_ns
        self.inputs, self.outputs = inner.inputs, inner.outputs
        self.accelerator_used, self.warnings = inner.accelerator_used, inner.warnings

    def bind(self, inputs: Any) -> None:
        self._inner.bind(inputs)

    def run(self) -> None:
        clock = time.perf_counter_ns
        self._inner.run()
        end = clock() + self._wait_ns
        while clock() < end:
            pass

    def output_values(self) -> dict[str, Any]:
        return self._inner.output_values()

    def close(self) -> None:
        self._inner.close()


class SlowedRuntime(Runtime):
    """``TRIMTAB_SLOWED_NS``: how much longer an inference takes."""

    name = "slowed"
    formats = ("tflite",)

    def __init__(self) -> None:
        self._inner = LiteRt()

    def availability(self) -> RuntimeInfo:
        found = self._inner.availability()
        return RuntimeInfo(
            self.name, found.version, found.package, self.formats, found.accelerators
        )

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        inner = self._inner.load(path, options)
        return SlowedSession(inner, int(os.environ["TRIMTAB_SLOWED_NS"]))
