"""Live progress per device on standard error: a display on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import thread_time

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as LiveProgress
from rich.text import Text

from trimtab.fleet.progress import OnProgress, Progress

_SHORTEST_PAUSE_S = 0.1
_DRAWING_SHARE = 0.05
_STYLES = {"warning": "yellow", "error": "red"}


@contextmanager
def progress_display(console: Console) -> Iterator[OnProgress]:
    if not console.is_terminal:
        yield _Lines(console)
        return
    live = _Table(
        TextColumn("[bold]{task.fields[device]}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("[dim]{task.fields[telemetry]}"),
        console=console,
        transient=True,
        auto_refresh=False,
    )
    with live, _refreshed(live):
        yield _Display(live).take


@contextmanager
def _refreshed(live: _Table) -> Iterator[None]:
    """Ten times a second, less often where drawing takes long: a table of 200 devices drawn so
    often would take a processor for itself."""
    ended = Event()

    def draw() -> None:
        pause_s = 0.0
        while not ended.wait(max(pause_s, _SHORTEST_PAUSE_S)):
            began = thread_time()
            live.draw()
            pause_s = (thread_time() - began) / _DRAWING_SHARE

    drawing = Thread(target=draw, daemon=True)
    drawing.start()
    try:
        yield
    finally:
        ended.set()
        drawing.join()


class _Table(LiveProgress):
    """Drawn only when it is told to: the library draws all of it for each row that is added.

    Where there are more devices than lines, those that are not done, and how many are left out.
    """

    def refresh(self) -> None:
        pass

    def draw(self) -> None:
        super().refresh()

    def get_renderables(self) -> Iterator[RenderableType]:
        tasks = self.tasks
        # The library asks before there is a console, and before there is a task.
        lines = max(self.console.height - 2, 1) if tasks else 0
        if len(tasks) <= lines:
            yield self.make_tasks_table(tasks)
            return
        shown = sorted(tasks, key=lambda task: task.finished)[:lines]
        yield self.make_tasks_table(shown)
        yield Text(f"and {len(tasks) - lines} more devices")


class _Lines:
    """Telemetry is for a display that changes in place: a log would drown in it."""

    shows_telemetry = False

    def __init__(self, console: Console) -> None:
        self._file = console.file

    def __call__(self, progress: Progress) -> None:
        if not progress.telemetry:
            self._file.write(_plain(progress) + "\n")
            self._file.flush()


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


def _plain(progress: Progress) -> str:
    count = f" [{progress.done + 1}/{progress.total}]" if progress.total else ""
    level = f" {progress.severity}:" if progress.severity in _STYLES else ""
    return f"{progress.device}{count}:{level} {progress.text}"
