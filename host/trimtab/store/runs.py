"""The store of runs. Nothing that was measured is lost when something else dies later."""

from __future__ import annotations

import builtins
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from sqlalchemy import case, delete, func, insert, select
from sqlalchemy.orm import Session, selectinload

from trimtab.records import Decision, Result, Run, UserError
from trimtab.store.decisions import decision_document
from trimtab.store.engine import open_engine, translated
from trimtab.store.recording import same_content
from trimtab.store.rows import insert_results, run_from, run_values, variant_values
from trimtab.store.schema import InterruptedRow, RepeatRow, ResultRow, RunRow, VariantRow

_NEWEST_SHOWN = 5


@dataclass(frozen=True)
class RunSummary:
    """``created`` is ISO 8601 in UTC. ``devices``: their names, in alphabetical order.

    ``interrupted``: its process gave it up, and nobody has gone on with it since.
    """

    run_id: str
    name: str
    created: str
    variant_count: int
    result_count: int
    failed_count: int
    devices: tuple[str, ...]
    decided: bool
    interrupted: bool = False


class RunStore:
    """Runs in any database that SQLAlchemy reads; ``url`` such as ``sqlite:///runs.db``.

    Every method raises UserError where the database is locked, damaged or read-only. Those that
    take a ``run_id`` take the beginning of one, too.
    """

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        self._engine = open_engine(url, timeout_s)

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def save(self, run: Run) -> None:
        """Writes the whole run, in place of what was stored under its id."""
        with self._writing() as session:
            stored = session.get(RunRow, run.run_id)
            if stored is not None:
                session.delete(stored)
                session.flush()
            _insert_run(session, run)

    def begin(self, run: Run) -> None:
        """Writes it unless it is there: of a run that is gone on with, what was stored stays."""
        with self._writing() as session:
            if session.get(RunRow, run.run_id) is None:
                _insert_run(session, run)
            of_run = InterruptedRow.run_id == run.run_id
            session.execute(delete(InterruptedRow).where(of_run))

    def note_interrupted(self, run_id: str) -> None:
        """Until it is begun again. Nothing happens where it was deleted meanwhile."""
        with self._writing() as session:
            if session.get(RunRow, run_id) is not None:
                session.merge(InterruptedRow(run_id=run_id))

    def set_results(self, run_id: str, device: str, results: Sequence[Result]) -> None:
        """All of one device's results in place of those it had, at once; then they are on disk.

        A decision that was made on the others goes.
        """
        with self._writing() as session:
            run = _find(session, run_id)
            of_device = (ResultRow.run_id == run.run_id) & (ResultRow.device_name == device)
            session.execute(delete(ResultRow).where(of_device))
            run.decision = None
            _append(session, run, results)

    def add_result(self, run_id: str, result: Result) -> None:
        """Appends one result; on return it is on disk."""
        self.add_results(run_id, (result,))

    def add_results(self, run_id: str, results: Sequence[Result]) -> None:
        """Appends them, all or none; on return they are on disk. One call for what comes at once
        costs less than one for each."""
        with self._writing() as session:
            _append(session, _find(session, run_id), results)

    def set_decision(self, run_id: str, decision: Decision) -> None:
        """Raises ValueError where it chooses what is not among the run's results."""
        with self._writing() as session:
            row = _find(session, run_id)
            _load_at_once(session, row)
            row.decision = decision_document(decision, run_from(row).results)

    def load(self, run_id: str) -> Run:
        """With all raw samples; the outputs of accuracy passes are not kept."""
        with self._reading() as session:
            row = _find(session, run_id)
            _load_at_once(session, row)
            try:
                return run_from(row)
            except (zlib.error, ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"run {row.run_id} in the store is damaged: {error}",
                    "delete it from the store and measure again",
                ) from error

    def add(self, run: Run) -> bool:
        """False where the same run is there already. Raises UserError where another has its id."""
        with self._reading() as session:
            is_there = session.get(RunRow, run.run_id) is not None
        if not is_there:
            self.save(run)
            return True
        if not same_content(self.load(run.run_id), run):
            raise UserError(
                f"the store has another run {run.run_id}, with other content",
                f"keep it with `trimtab runs export {run.run_id} -o FILE`, delete it with "
                f"`trimtab runs delete {run.run_id}`, then import again",
            )
        return False

    def list(self) -> builtins.list[RunSummary]:
        """The newest first."""
        with self._reading() as session:
            newest_first = select(RunRow).order_by(RunRow.created.desc(), RunRow.run_id.desc())
            return [_summary(session, row) for row in session.scalars(newest_first)]

    def delete(self, run_id: str) -> str:
        """Returns the full id of what was deleted."""
        with self._writing() as session:
            row = _find(session, run_id)
            session.delete(row)
            return row.run_id

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with translated(self._engine), Session(self._engine) as session:
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        engine = self._engine.execution_options(writes=True)
        with translated(self._engine), Session(engine) as session, session.begin():
            yield session


def _insert_run(session: Session, run: Run) -> None:
    session.execute(insert(RunRow), [run_values(run)])
    variants = variant_values(run)
    if variants:
        session.execute(insert(VariantRow), variants)
    insert_results(session, run.run_id, run.results, 0)


def _append(session: Session, run: RunRow, results: Sequence[Result]) -> None:
    last = select(func.max(ResultRow.position)).where(ResultRow.run_id == run.run_id)
    position = session.scalar(last)
    insert_results(session, run.run_id, results, 0 if position is None else position + 1)


def _find(session: Session, run_id: str) -> RunRow:
    """By id, or by an unambiguous beginning of one. Raises UserError."""
    exact = session.get(RunRow, run_id)
    if exact is not None:
        return exact
    newest_first = select(RunRow.run_id).order_by(RunRow.run_id.desc()).limit(_NEWEST_SHOWN)
    beginning = RunRow.run_id.startswith(run_id, autoescape=True)
    found = session.scalars(newest_first.where(beginning)).all() if run_id else ()
    if len(found) == 1:
        return session.get_one(RunRow, found[0])
    if found:
        raise UserError(f"several runs begin with {run_id}", f"name one: {', '.join(found)}")
    newest = session.scalars(newest_first).all()
    listed = f"the newest are {', '.join(newest)}" if newest else "the store holds no run yet"
    raise UserError(f"unknown run {run_id or '(empty)'}", listed)


def _load_at_once(session: Session, row: RunRow) -> None:
    """All that hangs on it in a handful of queries, not some for each result."""
    results = selectinload(RunRow.results)
    repeats = results.selectinload(ResultRow.repeats)
    options = (results.selectinload(ResultRow.metrics), repeats.selectinload(RepeatRow.sensors))
    session.scalars(select(RunRow).where(RunRow.run_id == row.run_id).options(*options)).all()


def _summary(session: Session, row: RunRow) -> RunSummary:
    of_run = ResultRow.run_id == row.run_id
    failures = func.coalesce(func.sum(case((ResultRow.failed, 1), else_=0)), 0)
    result_count, failed_count = session.execute(select(func.count(), failures).where(of_run)).one()
    variants = select(func.count()).select_from(VariantRow).where(VariantRow.run_id == row.run_id)
    devices = select(ResultRow.device_name).where(of_run).distinct()
    return RunSummary(
        run_id=row.run_id,
        name=row.name,
        created=row.created,
        variant_count=session.scalar(variants) or 0,
        result_count=result_count,
        failed_count=failed_count,
        devices=tuple(session.scalars(devices.order_by(ResultRow.device_name))),
        decided=row.decision is not None,
        interrupted=session.get(InterruptedRow, row.run_id) is not None,
    )
