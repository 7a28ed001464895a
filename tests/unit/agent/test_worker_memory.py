"""The memory pass against models of known size."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from trimtab_agent.worker.memory import read_status, reset_peak
from trimtab_agent.worker.messages import WorkerTask

RunTask = Callable[[WorkerTask], Awaitable[Any]]
MIB = 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells these figures")
async def test_a_heavier_model_takes_the_memory_of_its_weights(
    save_graph: Callable[..., Path], run_task: RunTask
) -> None:
    use = {}
    for width in (8, 8 * MIB):
        weights = np.ones((1, width), dtype=np.float32)
        model = save_graph(helper.make_node("Mul", ["x", "w"], ["y"]), [1, 1], [1, width], weights)
        heard = await run_task(
            WorkerTask(mode="memory", runtime="onnxruntime", model_path=str(model))
        )
        assert heard.failure is None
        use[width] = heard.only("memory")
    light, heavy = use[8], use[8 * MIB]
    assert heavy["model_bytes"] - light["model_bytes"] > 32 * MIB
    assert heavy["load_peak_bytes"] - light["load_peak_bytes"] > 32 * MIB
    assert heavy["runtime_bytes"] == pytest.approx(light["runtime_bytes"], rel=0.2)
    for figures in use.values():
        assert figures["peak_bytes"] > figures["peak_file_backed_bytes"] > 0
        assert figures["peak_bytes"] >= figures["runtime_bytes"]
    assert heavy["retained_bytes"] < heavy["model_bytes"]


def test_a_system_that_does_not_tell_gives_none(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\nVmRSS:\t  1024 kB\n")
    assert read_status("VmRSS", tmp_path / "status") == MIB
    assert read_status("RssFile", tmp_path / "status") is None
    assert read_status("VmRSS", tmp_path / "absent") is None
    assert reset_peak(tmp_path / "no such folder" / "clear_refs") is False
