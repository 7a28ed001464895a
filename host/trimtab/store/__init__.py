"""Runs, their results and every raw sample, kept in a database."""

from trimtab.store.identifiers import new_run_id
from trimtab.store.recording import read_recording, write_recording
from trimtab.store.runs import RunStore, RunSummary

__all__ = ["RunStore", "RunSummary", "new_run_id", "read_recording", "write_recording"]
