"""How long the starting project's `trimtab compress` takes: the first, and when nothing changed.

python benchmarks/second_compress.py [COUNT]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from trimtab.scaffold import write_starting_project

LIMIT_S = 2.0


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as name:
        folder = Path(name)
        write_starting_project(folder / "project")
        first, _ = _compress(folder)
        print(f"first compress: {first:.2f} s")
        seconds = []
        for _ in range(count):
            took, said = _compress(folder)
            if "nothing to do" not in said:
                print(f"it built again: {said}")
                return 1
            seconds.append(took)
    print(
        f"nothing changed, {count} times: median {median(seconds):.2f} s, "
        f"{min(seconds):.2f} to {max(seconds):.2f} s (limit {LIMIT_S:g} s)"
    )
    return 0 if max(seconds) < LIMIT_S else 1


def _compress(folder: Path) -> tuple[float, str]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "trimtab", "compress", str(folder / "project")],
        env={**os.environ, "TRIMTAB_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    return time.monotonic() - started, done.stderr


if __name__ == "__main__":
    sys.exit(main())
