"""The host's log file: one JSON object a line, with the run, the device and the job."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from trimtab.logs import bound, log_to, shortened
from trimtab.records import UserError


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    logger = logging.getLogger("trimtab")
    level = logger.level
    yield
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)
    logger.setLevel(level)


def test_what_is_bound_around_a_record_is_in_its_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log_to(path)

    with bound(run_id="7"), bound(device="pi5"):
        logging.getLogger("trimtab.fleet").info("pushed %d files", 2)
    logging.getLogger("trimtab.fleet").info("done")

    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["run_id"], first["device"], first["message"]) == ("7", "pi5", "pushed 2 files")
    assert "device" not in second


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        log_to(tmp_path / "absent" / "log")

    assert "No such file" in caught.value.message
    assert "--log-file" in caught.value.advice


def test_a_lease_cannot_be_used_by_who_reads_the_log() -> None:
    assert shortened("0123456789abcdef") == "012345…"
