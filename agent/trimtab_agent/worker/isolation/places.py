"""Where a worker may write: its own folders, its own entry of /proc, and devices made for it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from trimtab_agent.worker.messages import WorkerTask

# What accelerators and their drivers are reached by, and what takes bytes and keeps none.
_DEVICES = """
    null zero full tty random urandom shm dri nvidia* nvhost* nvmap nvgpu kfd mali* kgsl* apex_*
    hailo* accel rknpu galcore vchiq vcio dma_heap ion udmabuf video* media* adsprpc* fastrpc*
    ethosu* vha* bus/usb
"""


def writable_places(task: WorkerTask) -> tuple[Path, ...]:
    """Those that are there; resolved, since both kernel and check go by where a path leads."""
    named = [Path(path) for path in (task.work_path, task.cache_path) if path]
    own = Path(f"/proc/{os.getpid()}")
    nodes = accelerator_nodes()
    others = tuple(path.resolve() for path in (*named, own, *nodes) if path.exists())
    return (*output_places(task), *others)


def output_places(task: WorkerTask) -> tuple[Path, ...]:
    """Those of them from which the agent takes files; resolved. None where there are none."""
    folder = Path(task.outputs_path).parent
    return (folder.resolve(),) if task.outputs_path and folder.exists() else ()


def accelerator_nodes() -> tuple[Path, ...]:
    return tuple(found for name in _DEVICES.split() for found in Path("/dev").glob(name))


def settle_in(task: WorkerTask) -> None:
    """Point what libraries write by habit (temporary files, caches, a home) to where they may."""
    if not task.work_path:
        return
    kept = task.cache_path or task.work_path
    os.environ.update(
        TMPDIR=task.work_path,
        HOME=task.work_path,
        XDG_CACHE_HOME=kept,
        CUDA_CACHE_PATH=os.environ.get("CUDA_CACHE_PATH", f"{kept}/cuda"),
        MESA_SHADER_CACHE_DIR=kept,
    )


def is_below(path: Path, places: Iterable[Path]) -> bool:
    return any(place == path or place in path.parents for place in places)
