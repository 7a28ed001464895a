"""Memory and disk: what suffices, what warns, and waiting for pages that voids."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.disturbance import Seen, spoiled_by
from trimtab_agent.memory_checks import free_disk_check, free_memory_check, no_swapping_check
from trimtab_agent.paging import (
    Paging,
    meminfo,
    paging_between,
    paging_so_far,
    paging_together,
    swapped_pages,
)

Plant = Callable[[dict[str, str]], Path]


@pytest.mark.parametrize(
    ("swapped", "faults", "outcome", "invalidates"),
    [
        (0, 0, "passed", True),
        (0, 10, "passed", True),  # 1 % of the samples: not seen in a p99
        (0, 11, "failed", True),  # mapped weights were evicted, and read again
        (300, 0, "failed", False),  # others were swapped
        (300, 1, "failed", True),
    ],
)
def test_a_worker_that_waits_for_pages_voids_and_others_swapping_warns(
    swapped: int, faults: int, outcome: str, invalidates: bool
) -> None:
    seen = Seen(paging=Paging(swapped, faults), sample_count=1000)
    calm = Seen(paging=Paging(0, 0), sample_count=1000)
    check = no_swapping_check([calm, seen])
    assert (check.outcome, check.invalidates) == (outcome, invalidates)
    assert f"{swapped} pages swapped" in check.seen
    assert f"{faults} times the worker waited" in check.seen
    voids = outcome == "failed" and invalidates
    assert (spoiled_by(seen, 1) is not None) is voids


def test_a_kernel_that_does_not_count_pages_is_unknown() -> None:
    assert no_swapping_check([Seen()]).outcome == "unknown"
    assert no_swapping_check([]).outcome == "unknown"


def test_pages_are_counted_from_the_kernels_own_files(plant: Plant) -> None:
    root = plant({"proc/vmstat": "nr_free_pages 7\npswpin 30\npswpout 12\npgmajfault 99\n"})
    assert swapped_pages(root) == 42
    counted = paging_so_far(root, [os.getpid()])
    assert counted is not None
    assert counted.swapped == 42
    with Path("/proc/self/stat").open() as stat:
        assert counted.major_faults <= int(stat.read().rpartition(")")[2].split()[9])
    assert paging_so_far(root, [os.getpid(), 2**30]) is None
    assert swapped_pages(root / "absent") is None


def test_pages_of_several_stretches_add_up() -> None:
    first = paging_between(Paging(10, 5), Paging(30, 6))
    second = paging_between(Paging(30, 6), Paging(31, 9))
    assert paging_together(first, second) == Paging(21, 4)
    assert paging_together(None, second) == second
    assert paging_together(first, paging_between(None, Paging(1, 1))) == first


def test_a_model_that_may_not_fit_warns_with_both_sizes(plant: Plant) -> None:
    root = plant({"proc/meminfo": "MemTotal: 2000 kB\nMemAvailable: 1000 kB\nHugePages_Total: 0\n"})
    available = meminfo(root)["MemAvailable"]
    assert available == 1_024_000
    check = free_memory_check(available, 513_000)
    assert (check.outcome, check.invalidates) == ("failed", False)
    assert check.metrics == ("latency", "memory")
    assert "1 MB free" in check.seen
    assert free_memory_check(available, 512_000).outcome == "passed"
    assert free_memory_check(None, 1).outcome == "unknown"


def test_a_disk_that_is_nearly_full_warns_with_what_to_do() -> None:
    check = free_disk_check(99_000_000)
    assert (check.outcome, check.invalidates) == ("failed", False)
    assert "--state" in check.advice
    assert free_disk_check(100_000_000).outcome == "passed"
