"""A module put off is read at its first use, once, and is then like any other."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from trimtab_agent.import_later import SELDOM_NEEDED, import_later

_SLOW = "import time\ntime.sleep(0.2)\nvalue = 41\ndef more():\n    return value + 1\n"
_MODULES = ("inner", "other", "everything", "broken")


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose ``other`` imports ``inner``."""
    folder = tmp_path / "put_off_box"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "inner.py").write_text(_SLOW)
    (folder / "other.py").write_text("from . import inner\ndef ask():\n    return inner.more()\n")
    (folder / "everything.py").write_text("from .inner import *\n")
    (folder / "broken.py").write_text("raise ImportError('no such part here')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in ("put_off_box", *(f"put_off_box.{module}" for module in _MODULES)):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("box")
def test_importing_it_reads_nothing_and_using_it_does() -> None:
    import_later("put_off_box.inner")
    other = import_module("put_off_box.other")
    inner = sys.modules["put_off_box.inner"]
    assert "value" not in vars(inner)
    assert other.ask() == 42
    assert vars(inner)["value"] == 41
    assert import_module("put_off_box").inner is inner
    assert import_module("put_off_box.inner") is inner


@pytest.mark.usefixtures("box")
def test_all_of_its_names_are_imported_from_it() -> None:
    import_later("put_off_box.inner")
    everything = import_module("put_off_box.everything")
    assert everything.value == 41
    assert everything.more() == 42


@pytest.mark.usefixtures("box")
def test_threads_that_use_it_at_once_find_it_whole() -> None:
    import_later("put_off_box.inner")
    inner = sys.modules["put_off_box.inner"]
    seen: list[object] = []
    threads = [
        threading.Thread(target=lambda: seen.append(getattr(inner, "more", lambda: None)()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [42] * 4


@pytest.mark.usefixtures("box")
def test_what_it_lacks_is_missing_as_ever() -> None:
    import_later("put_off_box.inner")
    inner = sys.modules["put_off_box.inner"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = inner.nothing


@pytest.mark.usefixtures("box")
def test_one_that_cannot_be_imported_says_why_each_time_it_is_used() -> None:
    import_later("put_off_box.broken")
    broken = import_module("put_off_box.broken")
    for _ in range(2):
        with pytest.raises(ImportError, match="no such part here"):
            _ = broken.value


def test_what_is_imported_or_cannot_be_found_is_left_alone() -> None:
    import_later("json", "put_off_box.nowhere", "no_such_module_anywhere")
    assert vars(sys.modules["json"])["dumps"]
    assert "put_off_box.nowhere" not in sys.modules
    assert "no_such_module_anywhere" not in sys.modules


def test_tls_of_asyncio_still_works_where_ssl_was_put_off() -> None:
    program = f"""
from trimtab_agent.import_later import import_later
import_later(*{SELDOM_NEEDED})
import asyncio, sys

async def hang_up(reader, writer):
    writer.close()

async def main():
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    print("_ssl" in sys.modules)
    try:
        await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=True)
    except OSError:  # of the handshake, which was begun
        print("_ssl" in sys.modules, asyncio.sslproto.SSLProtocol.__name__)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["False", "True SSLProtocol"], done.stderr
