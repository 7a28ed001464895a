"""Fixtures for the whole suite."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real models and data, beside the repository or in TRIMTAB_TEST_DATA; see CONTRIBUTING.md."""
    folder = Path(os.environ.get("TRIMTAB_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "models").is_dir():
        pytest.skip(f"no test data: {folder} does not exist (set TRIMTAB_TEST_DATA)")
    return folder
