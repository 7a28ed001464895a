"""Where Trimtab keeps what outlives a command: inventory, runs, caches."""

import os
from pathlib import Path


def home() -> Path:
    """``TRIMTAB_HOME``, else ``trimtab`` in the XDG data folder; created where absent."""
    named = os.environ.get("TRIMTAB_HOME")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    folder = Path(named) if named else data / "trimtab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def store_url() -> str:
    """``TRIMTAB_STORE``, a SQLAlchemy URL, else the SQLite file in :func:`home`."""
    return os.environ.get("TRIMTAB_STORE") or f"sqlite:///{home() / 'runs.db'}"
