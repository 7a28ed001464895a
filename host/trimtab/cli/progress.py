"""Live progress per device on standard error: a display on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as LiveProgress

from trimtab.fleet.progress import OnProgress, Progress

_STYLES = {"warning": "yellow", "error": "red"}


@contextmanager
def progress_display(console: Console) -> Iterator[OnProgress]:
    if not console.is_terminal:
        yield lambda progress: _print(console, progress)
        return
    live = LiveProgress(
        TextColumn("[bold]{task.fields[device]}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("[dim]{task.fields[telemetry]}"),
        console=console,
        transient=True,
    )
    with live:
        yield _Display(live).take


class _Display:
    def __init__(self, live: LiveProgress) -> None:
        self._live = live
        self._tasks: dict[str, object] = {}

    def take(self, progress: Progress) -> None:
        if progress.severity in _STYLES:
            self._live.console.print(
                f"{progress.device}: {progress.text}",
                style=_STYLES[progress.severity],
                markup=False,
                highlight=False,
            )
            return
        if progress.device not in self._tasks:
            self._tasks[progress.device] = self._live.add_task(
                "", device=progress.device, telemetry=""
            )
        self._live.update(
            self._tasks[progress.device],  # type: ignore[arg-type]
            description=progress.text,
            completed=progress.done,
            total=progress.total or None,
        )
        if progress.telemetry:
            self._live.update(
                self._tasks[progress.device],  # type: ignore[arg-type]
                telemetry=progress.telemetry,
            )


def _print(console: Console, progress: Progress) -> None:
    """Telemetry is for a display that changes in place: a log would drown in it."""
    if not progress.telemetry:
        console.print(_plain(progress), markup=False, highlight=False, soft_wrap=True)


def _plain(progress: Progress) -> str:
    count = f" [{progress.done + 1}/{progress.total}]" if progress.total else ""
    level = f" {progress.severity}:" if progress.severity in _STYLES else ""
    return f"{progress.device}{count}:{level} {progress.text}"
