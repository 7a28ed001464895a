"""Many agents, one host: nothing lost, nothing doubled, and what each job costs the host.

python benchmarks/fleet_scale.py [AGENTS ...]        10 50 100 200 by default, 5 jobs on each

TRIMTAB_BENCH_FILE=rows.jsonl: go on where it was broken off. Every agent is a real process that
starts a real worker for each job, on this machine: wall time is that of the machine's processors
under all of them together; the host's processor time and memory are what a fleet of boards would
see.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from benchkit.fleet.agents import AgentFleet, running_fleet, total_memory
from benchkit.fleet.growth import exponent, line
from benchkit.fleet.trial import run_trial
from benchkit.rows import Row, Rows
from benchkit.tables import print_heading, print_table, say

JOBS_PER_AGENT = 5
_SIZES = (10, 50, 100, 200)
_MOST_CPU_MS = 15.0
_MOST_MEMORY_BYTES = 400e6
_LINEAR = 1.05  # an exponent; what is measured is not exact


def main(sizes: Sequence[int]) -> int:
    kept = Rows.of_environment()
    with running_fleet() as fleet:
        rows = [_row(kept, fleet, count) for count in sizes]
    print_heading("A fleet on one machine")
    print_table(_COLUMNS, [_cells(row) for row in rows])
    problems = [_problem(row) for row in rows]
    return int(_grows(rows) or any(problems))


def _row(kept: Rows, fleet: AgentFleet, count: int) -> Row:
    return kept.once({"fleet": count, "jobs": JOBS_PER_AGENT * count}, _trial(fleet, count))


def _trial(fleet: AgentFleet, count: int) -> Callable[[], Row]:
    def measure() -> Row:
        began = time.monotonic()
        agents = fleet.grow(count)
        say(f"{count} agents run after {time.monotonic() - began:.0f} s")
        trial = run_trial(agents, JOBS_PER_AGENT)
        say(f"{count} agents: {trial.audit.jobs} jobs in {trial.use.wall_s:.0f} s")
        use = {name: value for name, value in asdict(trial.use).items() if name != "jobs"}
        return {
            **use,
            "results": trial.audit.jobs,
            "lost": trial.audit.lost[:10],
            "doubled": trial.audit.doubled[:10],
            "open_files": trial.most_open_files,
            "agents_memory_bytes": total_memory(agents),
            "serialising_ms": trial.serialising.ms_per_job,
            "event_bytes": trial.serialising.event_bytes / trial.serialising.jobs,
        }

    return measure


_COLUMNS = (
    *("agents", "jobs", "lost", "doubled", "wall", "host CPU", "a job", "serialising", "beyond"),
    *("host memory", "open files", "kept a job", "events a job", "an agent's memory"),
)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row["fleet"]),
        str(row["jobs"]),
        str(len(row["lost"])),
        str(len(row["doubled"])),
        f"{row['wall_s']:.0f} s",
        f"{row['cpu_s']:.1f} s",
        f"{_cpu_ms(row):.1f} ms",
        f"{row['serialising_ms']:.1f} ms",
        f"{_beyond_ms(row):.1f} ms",
        f"{row['peak_memory_bytes'] / 1e6:.0f} MB",
        str(row["open_files"]),
        f"{row['stored_bytes'] / row['jobs'] / 1e3:.1f} kB",
        f"{row['event_bytes'] / 1e3:.1f} kB",
        f"{row['agents_memory_bytes'] / row['fleet'] / 1e6:.1f} MB",
    )


def _cpu_ms(row: Row) -> float:
    return float(1e3 * row["cpu_s"] / row["jobs"])


def _beyond_ms(row: Row) -> float:
    return _cpu_ms(row) - float(row["serialising_ms"])


def _problem(row: Row) -> bool:
    """Says what is off. The bound on the processor is for the largest fleet's kind: a start-up that
    few jobs share is none of theirs."""
    found = []
    if row["results"] != row["jobs"] or row["lost"]:
        found.append(f"lost: {row['results']} of {row['jobs']} results, {row['lost']}")
    if row["doubled"]:
        found.append(f"doubled: {row['doubled']}")
    if row["jobs"] >= _SIZES[-1] * JOBS_PER_AGENT and _beyond_ms(row) > _MOST_CPU_MS:
        found.append(f"{_beyond_ms(row):.1f} ms a job, at most {_MOST_CPU_MS:g} ms")
    if row["peak_memory_bytes"] > _MOST_MEMORY_BYTES:
        found.append(f"{row['peak_memory_bytes'] / 1e6:.0f} MB of memory in the host")
    for text in found:
        print(f"OFF at {row['fleet']} agents: {text}")
    return bool(found)


def _grows(rows: Sequence[Row]) -> bool:
    """Says how time, processor time and memory grow; whether one does faster than linearly."""
    counts = [row["fleet"] for row in rows]
    if len(set(counts)) < 2:
        return False
    faster = False
    for name, key, unit in (
        ("wall time", "wall_s", "s"),
        ("host CPU", "cpu_s", "s"),
        ("host memory", "peak_memory_bytes", "MB"),
    ):
        values = [row[key] / (1e6 if unit == "MB" else 1) for row in rows]
        fixed, slope = line(counts, values)
        power = exponent(counts, values)
        verdict = "OFF" if power > _LINEAR else "no faster than linearly"
        faster |= power > _LINEAR
        print(
            f"- {name}: {fixed:.2f} {unit} + {slope:.3f} {unit} an agent; n^{power:.2f}: {verdict}"
        )
    return faster


if __name__ == "__main__":
    raise SystemExit(main([int(text) for text in sys.argv[1:]] or _SIZES))
