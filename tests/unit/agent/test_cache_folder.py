"""What runtimes compiled stays within its bound, and nothing beside it is touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from trimtab_agent import job_runner
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.cache_folder import keep_within
from trimtab_agent.job_runner import JobRules, JobRunner
from trimtab_agent.quiet import Quiet


def lay(folder: Path, name: str, used_at: float) -> Path:
    """10,000 bytes, in whole blocks of the disk a little more."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(10_000))
    os.utime(file, (used_at, used_at))
    return file


def test_what_was_used_longest_ago_goes_and_only_above_the_limit(tmp_path: Path) -> None:
    oldest = lay(tmp_path, "onnxruntime-tensorrt/a.engine", 100)
    older, new = lay(tmp_path, "cuda/b", 200), lay(tmp_path, "c", 300)
    keep_within(tmp_path, 50_000)
    assert oldest.exists()
    keep_within(tmp_path, 30_000)
    assert [each.exists() for each in (oldest, older, new)] == [False, True, True]
    assert not oldest.parent.exists()
    keep_within(tmp_path, 10)
    assert list(tmp_path.iterdir()) == []


def test_links_of_a_worker_lead_nowhere(tmp_path: Path) -> None:
    kept = lay(tmp_path, "outside/mine", 100)
    caches = tmp_path / "caches"
    lay(caches, "d/compiled", 200)
    (caches / "file").symlink_to(kept)
    (caches / "folder").symlink_to(kept.parent)
    os.mkfifo(caches / "fifo")
    keep_within(caches, 10)
    assert kept.exists()
    assert list(caches.iterdir()) == []


def test_a_folder_that_is_not_there_is_within_any_bound(tmp_path: Path) -> None:
    keep_within(tmp_path / "none", 0)


def test_folders_nested_beyond_all_measure_fail_nothing(tmp_path: Path) -> None:
    inner = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=inner)
        deeper = os.open("d", os.O_RDONLY, dir_fd=inner)
        os.close(inner)
        inner = deeper
    os.close(inner)
    keep_within(tmp_path, 10)
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)


def test_the_end_of_a_job_brings_the_cache_within_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "MAX_CACHE_BYTES", 30_000)
    caches = tmp_path / "caches"
    laid = [lay(caches, name, used_at) for used_at, name in enumerate("abc", 100)]
    artifacts = ArtifactStore(tmp_path / "a")
    rules = JobRules(caches=caches)
    runner = JobRunner(artifacts, tmp_path / "scratch", Quiet(), rules=rules)
    runner.tidy_up()
    assert [each.exists() for each in laid] == [False, True, True]
