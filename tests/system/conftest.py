"""The real command line, as a user runs it, with a home of its own."""

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

Trimtab = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "TRIMTAB_HOME": str(tmp_path / "home"), "COLUMNS": "140"}


@pytest.fixture
def trimtab(environment: dict[str, str], tmp_path: Path) -> Trimtab:
    """Runs ``trimtab ARGUMENTS...`` in ``tmp_path`` and returns what came of it."""

    def run(*arguments: object, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "trimtab", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def mnist_evaluation(shared_data: Path) -> Iterator[Path]:
    """The 10,000 MNIST test images as mnist.onnx takes them: 1x28x28, pixels / 255."""
    with gzip.open(shared_data / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(shared_data / "mnist" / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mnist.npz"
        np.savez(path, images=images.astype(np.float32) / 255, labels=labels.astype(np.int64))
        yield path
