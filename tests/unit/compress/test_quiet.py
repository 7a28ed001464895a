"""Chatter is kept back, errors are not."""

import logging
import os
import subprocess
import sys

import pytest
from trimtab.compress.quiet import quiet


def test_nothing_reaches_either_stream_from_python_or_c() -> None:
    code = (
        "import ctypes, os, sys, warnings\n"
        "from trimtab.compress.quiet import quiet\n"
        "print('before')\n"
        "with quiet():\n"
        "    print('python'); print('python', file=sys.stderr); warnings.warn('warned')\n"
        "    os.write(1, b'descriptor'); os.write(2, b'descriptor')\n"
        "    ctypes.CDLL(None).printf(b'buffered by C')\n"
        "print('after')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stdout == "before\nafter\n"
    assert done.stderr == ""


def test_logging_that_a_library_sets_up_inside_is_not_everybodys_afterwards() -> None:
    code = (
        "import logging\n"
        "from trimtab.compress.quiet import quiet\n"
        "library, ours = logging.getLogger('library'), logging.getLogger('trimtab')\n"
        "with quiet():\n"
        "    logging.basicConfig(level=logging.INFO)\n"
        "    library.addHandler(logging.StreamHandler())\n"
        "    library.warning('inside')\n"
        "ours.warning('of ours')\n"
        "logging.getLogger('other').info('details')\n"
        "library.warning('outside')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stderr == "outside\n"


def test_handler_from_before_stays() -> None:
    handler, root = logging.NullHandler(), logging.getLogger()
    root.addHandler(handler)
    try:
        with quiet():
            logging.basicConfig(level=logging.INFO, force=False)
        assert handler in root.handlers
    finally:
        root.removeHandler(handler)


def test_error_comes_through_with_what_was_printed() -> None:
    with pytest.raises(ValueError, match="broken") as caught:
        _fail_noisily()
    assert "the last words" in caught.value.__notes__[0]


@quiet()
def _fail_noisily() -> None:
    print("the last words")  # noqa: T201
    raise ValueError("broken")
