"""p50 through the worker over p50 of a bare loop of the same runtime, alternating, fresh processes.

The rival is the loop written by hand: load, bind, warm up, call, take the time. Prints the ratio
with its 95 % interval (t over the pairs' logarithms) and the null runtime's median. Needs the
models of ``../shared/data`` or TRIMTAB_TEST_DATA.

    make bench
"""

from __future__ import annotations

import asyncio
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from scipy.special import stdtrit
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import run_worker

ROUNDS = int(os.environ.get("TRIMTAB_BENCH_ROUNDS", "7"))
MODELS = {
    "onnxruntime": ("mnist.onnx", "ultraface_rfb_320.onnx"),
    "litert": ("resnet8_fp32.tflite", "resnet8_int8.tflite", "vww_96_int8.tflite"),
}
BARE = {
    "onnxruntime": """
import sys, time, numpy as np, onnxruntime as ort
options = ort.SessionOptions(); options.intra_op_num_threads = 1
options.log_severity_level = 3
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
feed = {i.name: np.random.default_rng(0).random([d if isinstance(d, int) else 1 for d in i.shape],
        dtype=np.float32) for i in session.get_inputs()}
binding = session.io_binding()
for name, x in feed.items():
    binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(x))
for o in session.get_outputs():
    binding.bind_output(o.name, "cpu")
call = lambda: session.run_with_iobinding(binding)
""",
    "litert": """
import sys, time, numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(sys.argv[1], num_threads=1); interpreter.allocate_tensors()
for d in interpreter.get_input_details():
    x = np.random.default_rng(0).random(d["shape"], dtype=np.float32)
    interpreter.set_tensor(d["index"], (x * 200 - 100 if d["dtype"] == np.int8 else x)
                           .astype(d["dtype"]))
call = interpreter.invoke
""",
}
LOOP = """
clock = time.perf_counter_ns
def loop(seconds):
    taken = []; end = clock() + seconds * 1e9
    while clock() < end:
        start = clock(); call(); taken.append(clock() - start)
    return taken
loop(0.2)
print(int(np.median(loop(1.0))))
"""


def main() -> int:
    models = _models()
    print(f"null runtime: median {_worker_p50('null', models / 'mnist.onnx')} ns")
    print(f"{'model':32} {'bare loop':>12} {'trimtab':>12}   ratio [95 % interval], {ROUNDS} pairs")
    for runtime, names in MODELS.items():
        for name in names:
            _compare(runtime, models / name)
    return 0


def _compare(runtime: str, model: Path) -> None:
    bare: list[int] = []
    ours: list[int] = []
    for number in range(ROUNDS):
        first, second = (bare, ours) if number % 2 else (ours, bare)
        for side in (first, second):
            measured = _bare_p50(runtime, model) if side is bare else _worker_p50(runtime, model)
            side.append(measured)
    ratios = [math.log(a / b) for a, b in zip(ours, bare, strict=True)]
    mean = statistics.fmean(ratios)
    reach = float(stdtrit(ROUNDS - 1, 0.975)) * statistics.stdev(ratios) / math.sqrt(ROUNDS)
    low, high = math.exp(mean - reach), math.exp(mean + reach)
    print(
        f"{model.name:32} {statistics.median(bare) / 1e6:9.4f} ms"
        f" {statistics.median(ours) / 1e6:9.4f}"
        f" ms   {math.exp(mean):.3f} [{low:.3f}, {high:.3f}]"
    )


def _bare_p50(runtime: str, model: Path) -> int:
    code = BARE[runtime] + LOOP
    command = [sys.executable, "-c", code, str(model)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(run.stdout.split()[-1])


def _worker_p50(runtime: str, model: Path) -> int:
    latencies: list[int] = []

    def take(message: dict[str, object]) -> None:
        if message["kind"] == "samples":
            latencies.extend(message["latency_ns"])  # type: ignore[arg-type]

    task = WorkerTask(
        mode="repeat",
        runtime=runtime,
        model_path=str(model),
        format=model.suffix.removeprefix("."),
        min_duration_ns=1_000_000_000,
        max_duration_ns=10_000_000_000,
        min_sample_count=100,
        warmup_duration_ns=200_000_000,
        min_warmup_count=5,
    )
    with tempfile.TemporaryDirectory() as scratch:
        failure = asyncio.run(run_worker(task, Path(scratch), 60_000_000_000, take))
    if failure is not None:
        raise SystemExit(f"{model.name}: {failure.message}")
    return int(statistics.median(latencies))


def _models() -> Path:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    models = Path(os.environ.get("TRIMTAB_TEST_DATA", beside)) / "models"
    if not models.is_dir():
        raise SystemExit(f"no test data: {models} does not exist (set TRIMTAB_TEST_DATA)")
    return models


if __name__ == "__main__":
    raise SystemExit(main())
