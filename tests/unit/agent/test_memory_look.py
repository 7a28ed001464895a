"""What a worker keeps in memory, and the limit that the device sets it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from misbehaving_plug_in import register, task_of
from trimtab_agent.worker.memory_look import MemoryLook, kept_limit_bytes
from trimtab_agent.worker.process import run_worker
from trimtab_protos.failure import Failure

MINUTE_NS = 60_000_000_000
MB = 1_000_000


@pytest.fixture
def misbehave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    if sys.platform != "linux":
        pytest.skip("read from Linux's /proc")
    register(tmp_path / "plug-in", monkeypatch)

    async def run(kind: str, limit_bytes: int, **settings: Any) -> Failure | None:
        model = tmp_path / "model.null"
        model.write_text(kind)
        task = task_of(model, kept_limit_bytes=limit_bytes, **settings)
        return await run_worker(task, tmp_path, MINUTE_NS, lambda _: None)

    return run


@pytest.mark.parametrize("kind", ["keep", "keep in children"])
@pytest.mark.parametrize("isolated", [True, False])
async def test_a_worker_that_keeps_too_much_is_ended_and_the_limit_named(
    misbehave: Any, kind: str, isolated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isolated:
        monkeypatch.setenv("TRIMTAB_NO_ISOLATION", "1")
    failure = await misbehave(kind, 250 * MB)
    assert failure is not None
    assert failure.failure_class == "resources"
    assert failure.message.startswith("stopped during load: the model or its runtime kept ")
    assert "the device lets it keep 250 MB" in failure.message
    assert "--max-worker-memory-mb" in failure.message
    kept_mb = int(failure.message.partition("kept ")[2].partition(" MB")[0])
    assert 250 < kept_mb < 600, "what children have in common counts once"


async def test_what_is_only_reserved_does_not_count(misbehave: Any) -> None:
    assert await misbehave("reserve", 250 * MB) is None


async def test_a_job_that_asks_for_more_gets_no_more(misbehave: Any) -> None:
    failure = await misbehave("keep", 250 * MB, memory_limit_bytes=8000 * MB)
    assert "the device lets it keep 250 MB" in failure.message


async def test_a_job_that_asks_for_less_is_held_to_that(misbehave: Any) -> None:
    failure = await misbehave("keep", 8000 * MB, memory_limit_bytes=250 * MB)
    assert failure.failure_class == "resources"
    assert "memory limit of 250 MB" in failure.message


def device(root: Path, used_kb: int, processes: dict[int, dict[str, str]]) -> Path:
    (root / "proc").mkdir(exist_ok=True)
    text = f"MemTotal: 1000000 kB\nMemAvailable: {1_000_000 - used_kb} kB\n"
    (root / "proc/meminfo").write_text(text)
    for pid, files in processes.items():
        (root / "proc" / str(pid)).mkdir(exist_ok=True)
        for name, content in files.items():
            (root / "proc" / str(pid) / name).write_text(content)
    return root


def test_pages_of_files_do_not_count_and_swapped_ones_do(tmp_path: Path) -> None:
    status = "VmRSS: 90000 kB\nRssAnon: 10000 kB\nRssFile: 80000 kB\nVmSwap: 5000 kB\n"
    root = device(tmp_path, 0, {7: {"status": status}})
    assert MemoryLook(16_000_000, 7, lambda: [7], root).beyond() == 0
    assert MemoryLook(15_000_000, 7, lambda: [7], root).beyond() == 15_360_000


def test_the_others_are_asked_only_where_the_device_has_so_much_less(tmp_path: Path) -> None:
    small = {"status": "RssAnon: 9000 kB\n", "smaps_rollup": "Pss_Anon: 6000 kB\n"}
    root = device(tmp_path, 0, {7: small, 8: small})
    asked: list[int] = []

    def members() -> list[int]:
        asked.append(1)
        return [7, 8]

    look = MemoryLook(10_000_000, 7, members, root)
    assert look.beyond() == 0
    assert asked == []
    device(tmp_path, 20_000, {})
    assert look.beyond() == 12_288_000
    assert asked == [1]


def test_the_others_are_found_also_where_somebody_else_gave_as_much_back(tmp_path: Path) -> None:
    large = {"status": "RssAnon: 9000 kB\n", "smaps_rollup": "Pss_Anon: 8000 kB\n"}
    root = device(tmp_path, 0, {7: large, 8: large})
    asked: list[int] = []
    found: list[int] = []

    def members() -> list[int]:
        asked.append(len(found) + 1)
        return [7] if len(asked) < 3 else [7, 8]

    look = MemoryLook(10_000_000, 7, members, root)
    for _ in range(8):
        found.append(look.beyond())
    assert found == [0] * 7 + [16_384_000]
    assert asked == [2, 4, 8]


def test_common_pages_are_no_reason(tmp_path: Path) -> None:
    forked = {"status": "RssAnon: 9000 kB\n", "smaps_rollup": "Pss_Anon: 4500 kB\n"}
    look = MemoryLook(10_000_000, 7, lambda: [7, 8], device(tmp_path, 0, {7: forked, 8: forked}))
    device(tmp_path, 20_000, {})
    assert look.beyond() == 0


def test_a_worker_that_is_gone_keeps_nothing(tmp_path: Path) -> None:
    assert MemoryLook(1, 7, lambda: [7], tmp_path).beyond() == 0


def test_the_usual_limit_leaves_the_system_its_room(tmp_path: Path) -> None:
    assert kept_limit_bytes(None, tmp_path) == 0, "where the device does not tell"
    device(tmp_path, 0, {})
    assert kept_limit_bytes(None, tmp_path) == 819_200_000
    assert kept_limit_bytes(5, tmp_path) == 5
    assert kept_limit_bytes(0, tmp_path) == 0
    (tmp_path / "proc/self").mkdir()
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("500000000\n")
    assert kept_limit_bytes(None, tmp_path) == 400_000_000
