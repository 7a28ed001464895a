"""What a watched fleet looks like: who holds a device, and what fits on the screen."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.live import Live
from trimtab.fleet.live import Seen
from trimtab.fleet.status import DeviceStatus, JobSummary
from trimtab.report.device_status import fleet_table, holder_text, line_of_seen


def status(holder: str | None, *jobs: JobSummary, waiting: tuple[str, ...] = ()) -> DeviceStatus:
    return DeviceStatus(holder, 30.0, waiting, jobs, 10**9, 1, 0, 1, 1.0)


RUNNING = JobSummary("1", "ann@desk", "running", "a", 0, 5.0)
QUEUED = JobSummary("2", "bob@lab", "queued", "", 0, 0.0)


@pytest.mark.parametrize(
    ("told", "line", "cell"),
    [
        (
            status(None, RUNNING),
            "held by ann@desk, until the job ends",
            "ann@desk, until the job ends",
        ),
        (
            status(None, JobSummary("1", "", "running", "a", 0, 5.0), waiting=("bob",)),
            "held by somebody, until the job ends, 1 wait",
            "somebody, until the job ends",
        ),
        (status("eve", RUNNING), "held by eve", "eve (30 s left)"),
        (status("", waiting=("bob",)), "held by somebody, 1 wait", "somebody (30 s left)"),
        (status(None, QUEUED), "", "│ pi5    │        │"),
        (status(None, waiting=("bob",)), "1 wait", "bob"),
    ],
)
def test_who_holds_it(told: DeviceStatus, line: str, cell: str) -> None:
    assert holder_text(told) == line
    assert line_of_seen(Seen("pi5", told)).endswith(line)
    shown = io.StringIO()
    Console(file=shown, width=200).print(fleet_table({"pi5": Seen("pi5", told)}))
    assert cell in shown.getvalue()


def screen(seen: dict[str, Seen], height: int, width: int = 160) -> list[str]:
    """The lines that the last picture shows."""
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=True, width=width, height=height, color_system=None
    )
    with Live(console=console, auto_refresh=False, screen=True) as live:
        stream.seek(0)
        stream.truncate()
        live.update(fleet_table(seen), refresh=True)
        return stream.getvalue().splitlines()


def test_what_does_not_fit_is_counted_and_problems_come_first() -> None:
    seen = {
        f"dev{number:03}": Seen(f"dev{number:03}", problem="gone" if number > 150 else "")
        for number in range(200)
    }
    lines = screen(seen, height=40)
    shown = [line.split("│")[1].strip() for line in lines if "│" in line]
    assert len(lines) == 40
    assert shown[0] == "dev151"
    assert lines[-1].strip() == f"and {200 - len(shown)} more"
    assert len(shown) == 40 - 5  # the heading's three lines, the table's last and the count


def test_where_they_do_not_fit_a_long_reason_takes_one_line() -> None:
    why = "no agent answers for device there: connection refused " * 4
    lines = screen({str(number): Seen(f"d{number}", problem=why) for number in range(30)}, 24, 80)
    assert len([line for line in lines if line.startswith("│ d")]) == 24 - 5
    assert lines[-1].strip() == "and 11 more"


def test_what_fits_has_no_count_and_a_file_gets_all() -> None:
    seen = {name: Seen(name) for name in ("a", "b")}
    assert "more" not in "".join(screen(seen, height=40))
    many = {f"dev{number}": Seen(f"dev{number}") for number in range(100)}
    stream = io.StringIO()
    Console(file=stream, width=160, height=20).print(fleet_table(many))
    assert "dev99" in stream.getvalue()
    assert "more" not in stream.getvalue()
