"""What to say of a worker that ended without saying itself why."""

from __future__ import annotations

import re
import signal

from trimtab_protos.failure import Failure

from trimtab_agent.runtimes.reasons import FREE_MEMORY, one_line

_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGBUS}
_SHORT_OF_MEMORY = re.compile(r"alloc|memory|SIGABRT|SIGSEGV", re.IGNORECASE)
FILE_TOO_LARGE = "the model or its runtime wrote a file larger than any worker may"
_FAULTHANDLER_BEGINS = "Fatal Python error"


def died_of_signal(number: int, phase: str, stderr_tail: str) -> Failure:
    try:
        name = signal.Signals(number).name
    except ValueError:  # a real-time signal
        name = f"signal {number}"
    said = _last_words(stderr_tail)
    if number == signal.SIGSYS:
        return Failure(
            "model",
            f"stopped during {phase}: the model or its runtime tried to open a network socket, "
            "which no worker may",
        )
    if number == signal.SIGXFSZ:
        return Failure("model", f"stopped during {phase}: {FILE_TOO_LARGE}")
    if number in _CRASHES:
        return Failure("model", f"the runtime crashed ({name}) during {phase}{said}")
    return Failure("harness", f"the worker process was ended by {name} during {phase}{said}")


def killed(phase: str, for_memory: bool | None, group_limit_bytes: int | None) -> Failure:
    """Signal 9. ``for_memory``: whether it was the kernel, for want of memory; None: unknown.

    What somebody killed says nothing of the model: of class ``device``, so that it is tried again.
    """
    if for_memory is False:
        return Failure(
            "device",
            f"the worker process was killed by signal 9 during {phase}, and not by the kernel for "
            "want of memory: by somebody, or by a watchdog of the device (systemd-oomd, earlyoom, "
            f"Android's lmkd); {FREE_MEMORY}",
        )
    if for_memory:
        limit = "the device's memory"
        if group_limit_bytes is not None:
            limit = f"the limit of {group_limit_bytes / 1e6:g} MB of the agent's control group"
        text = f"killed by the kernel for memory during {phase}: {limit} was used up"
    else:
        text = f"killed by signal 9 during {phase}; out of memory?"
    return Failure("resources", f"the worker process was {text}; {FREE_MEMORY}")


def overfull(phase: str, limit: int) -> Failure:
    return Failure(
        "model",
        f"stopped during {phase}: the model or its runtime started more than {limit} processes "
        "and threads, the limit of a worker",
    )


def outgrown(phase: str, kept_bytes: int, limit_bytes: int) -> Failure:
    return Failure(
        "resources",
        f"stopped during {phase}: the model or its runtime kept {kept_bytes / 1e6:.0f} MB in "
        f"memory, and the device lets it keep {limit_bytes / 1e6:.0f} MB (trimtab-agent serve "
        "--max-worker-memory-mb): use a smaller model or batch",
    )


def ended_without_a_word(returncode: int | None, phase: str, stderr_tail: str) -> Failure:
    said = _last_words(stderr_tail)
    return Failure("harness", f"the worker ended with status {returncode} during {phase}{said}")


def timed_out(phase: str, timeout_ns: int) -> Failure:
    return Failure(
        "resources",
        f"the worker did not end within its limit of {timeout_ns / 1e9:g} s and was killed during "
        f"{phase}: raise the process timeout (--process-timeout), or ask for less",
    )


def beyond_memory(failure: Failure, limit_bytes: int) -> Failure:
    """What a process failed of that was short of memory, where that is what it looks like.

    Libraries say it in words of their own, or just end the process; a model that was refused for
    another reason keeps its own.
    """
    speaks_of_memory = _SHORT_OF_MEMORY.search(failure.message) is not None
    if not limit_bytes or not (speaks_of_memory or failure.failure_class in ("harness", "device")):
        return failure
    return Failure(
        "resources",
        f"it failed under its memory limit of {limit_bytes / 1e6:g} MB: raise the limit, or use a "
        f"smaller model or batch ({_without_advice(failure.message)})",
    )


def _without_advice(message: str) -> str:
    return message.removesuffix(FREE_MEMORY).rstrip(":; ")


def _last_words(stderr_tail: str) -> str:
    """The last line before the interpreter's own dump of a crash."""
    before, _, _ = stderr_tail.partition(_FAULTHANDLER_BEGINS)
    lines = [line for line in before.splitlines() if line.strip()]
    return f": {one_line(lines[-1])}" if lines else ""
