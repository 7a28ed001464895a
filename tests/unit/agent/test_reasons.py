"""Runtimes' own words, made fit for one line."""

import errno
from pathlib import Path

import pytest
from trimtab_agent.runtimes.base import ModelRefused, OutOfMemory
from trimtab_agent.runtimes.reasons import MAX_LENGTH, one_line, refusal
from trimtab_agent.worker.__main__ import failure_of
from trimtab_agent.worker.obituary import died_of_signal, ended_without_a_word


def test_folders_go_and_node_names_stay(tmp_path: Path) -> None:
    text = (
        f"Load model from {tmp_path}/net.onnx failed\n in node '/layer1/conv/Conv' of /usr/lib/x.so"
    )
    assert one_line(text, tmp_path) == (
        "Load model from net.onnx failed in node '/layer1/conv/Conv' of x.so"
    )


def test_a_message_said_again_and_again_is_said_once_and_a_long_one_cut() -> None:
    once = "tensor 33 has invalid quantization parameters."
    assert one_line(once * 5) == once
    assert len(one_line("".join(f"{number} " for number in range(1000)))) == MAX_LENGTH


def test_running_out_of_memory_is_not_the_models_fault(tmp_path: Path) -> None:
    assert isinstance(refusal(RuntimeError("std::bad_alloc"), tmp_path), OutOfMemory)
    assert isinstance(refusal(MemoryError(), tmp_path), OutOfMemory)
    assert isinstance(refusal(RuntimeError("no such operator"), tmp_path), ModelRefused)


@pytest.mark.parametrize(
    ("error", "failure_class"),
    [
        (ModelRefused("no"), "model"),
        (MemoryError(), "resources"),
        (OSError(errno.ENOSPC, "No space left on device"), "resources"),
        (OSError(errno.EIO, "Input/output error"), "harness"),
        (KeyError("surprise"), "harness"),
    ],
)
def test_each_error_has_its_class(error: Exception, failure_class: str) -> None:
    failure = failure_of(error, None)
    assert failure.failure_class == failure_class
    assert failure.message


def test_a_crash_is_told_by_the_runtimes_last_words() -> None:
    tail = (
        "loading\nF0000 check failed: size > 0\nFatal Python error: Aborted\n\n  File x, line 1\n"
    )
    failure = died_of_signal(6, "load", tail)
    assert failure.failure_class == "model"
    assert failure.message == (
        "the runtime crashed (SIGABRT) during load: F0000 check failed: size > 0"
    )


def test_an_end_without_a_word_is_ours() -> None:
    failure = ended_without_a_word(3, "start", "ModuleNotFoundError: No module named 'numpy'\n")
    assert failure.failure_class == "harness"
    assert failure.message.endswith("No module named 'numpy'")
