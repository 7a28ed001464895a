"""A line of the agent's log says which job it is about."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from trimtab_agent.logs import bound, log_handler


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("test.agent.logs")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield logger
    logger.handlers.clear()


def lines(logger: logging.Logger, log_format: str) -> io.StringIO:
    stream = io.StringIO()
    logger.addHandler(log_handler(log_format, stream))
    return stream


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_task_and_a_thread_begun_within_a_job_are_of_that_job(
    logger: logging.Logger,
) -> None:
    stream = lines(logger, "json")

    async def job(job_id: str) -> None:
        with bound(job_id=job_id, request_id=f"r-{job_id}"):
            await asyncio.sleep(0)
            with bound(arm="int8"):
                await asyncio.to_thread(logger.warning, "in a thread")

    await asyncio.gather(asyncio.ensure_future(job("1")), asyncio.ensure_future(job("2")))
    logger.info("of no job")

    *of_jobs, last = records(stream)
    assert {(each["job_id"], each["request_id"], each["arm"]) for each in of_jobs} == {
        ("1", "r-1", "int8"),
        ("2", "r-2", "int8"),
    }
    assert {"job_id", "arm"}.isdisjoint(last)


def test_what_breaks_lines_stays_one_line_and_time_is_utc(logger: logging.Logger) -> None:
    stream = lines(logger, "json")

    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logger.exception("broken\nhere", extra={"peer": "ann"})

    (record,) = records(stream)
    assert record["message"] == "broken\nhere"
    assert record["peer"] == "ann"
    assert "ValueError: first\nsecond" in record["traceback"]
    assert record["level"] == "error"
    assert record["time"].endswith("Z")


def test_text_ends_with_the_job(logger: logging.Logger) -> None:
    stream = lines(logger, "text")

    with bound(job_id="000001-ab"):
        logger.info("runs")
    logger.info("idle")

    first, second = stream.getvalue().splitlines()
    assert first.endswith("INFO runs job=000001-ab")
    assert second.endswith("INFO idle")


def test_a_record_of_text_is_one_line_and_its_traceback_is_indented(logger: logging.Logger) -> None:
    stream = lines(logger, "text")

    with bound(job_id="000001-ab\x1b[2J"):
        logger.info("held by ann\n2026-01-01 INFO forged\x1b]0;OWNED\x07")
    try:
        raise ValueError("first\nsecond\x07")
    except ValueError:
        logger.exception("broken")

    runs, broken, *traceback = stream.getvalue().splitlines()
    assert runs.endswith(
        r"INFO held by ann\n2026-01-01 INFO forged\x1b]0;OWNED\x07 job=000001-ab\x1b[2J"
    )
    assert broken.endswith("ERROR broken")
    assert all(line.startswith("    ") for line in traceback)
    assert traceback[0] == "    Traceback (most recent call last):"
    assert traceback[-2:] == ["    ValueError: first", r"    second\x07"]
