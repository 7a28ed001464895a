"""A project whose run is twelve short jobs on three agents, b1 to b3."""

_PROJECT = """
[task]
model = "mnist.onnx"
[devices]
select = ["name:b*"]
[measure]
runtimes = ["onnxruntime"]
threads = [1, 2, 3, 4]
repeats = 1
min_duration_s = 0.05
max_duration_s = 0.1
warmup_s = 0.01
max_warmup_s = 0.02
min_samples = 2
max_retries = 0
[dispatch]
arms_per_job = 1
patience_s = {patience_s}
"""
ARMS = [f"float.onnx {threads}t" for threads in (1, 2, 3, 4)]


def twelve_jobs(patience_s: float = 30.0) -> str:
    """Its ``trimtab.toml``; the model lies beside it as mnist.onnx."""
    return _PROJECT.format(patience_s=patience_s)
