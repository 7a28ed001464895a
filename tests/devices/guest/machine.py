"""The running guest: its emulator, a root shell in it, and the agent that it serves."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from devices.guest.image import build_image
from devices.guest.requirements import EMULATOR, check_programs

_MEMORY_MB = 1024
_BOOT_TIMEOUT_S = 240.0
_AGENT_TIMEOUT_S = 180.0
_AGENT_SOCKET = "/run/agent.sock"
_GUEST_PORT = 50051
_MARK = "=guest-shell="


class GuestError(Exception):
    """The guest did not boot, or a command in it failed."""


class Guest:
    """Boots on entering. ``address``: of its agent, for a Trimtab host on this machine.

    The agent serves a Unix socket, as on a board; a relay in the guest takes the place of
    ``ssh -L``. The guest reaches nothing but that connection.
    """

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="tt-guest-")
        self.folder = Path(self._scratch.name)
        self.console = self.folder / "console"
        self.boot_s = 0.0
        self.agent_s = 0.0
        self.address = ""
        self._emulator: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def __enter__(self) -> Guest:
        """Raises GuestUnavailable or GuestError."""
        try:
            check_programs()
            self._boot()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._emulator is not None:
            self._emulator.kill()
            self._emulator.wait()
        self._scratch.cleanup()

    def _boot(self) -> None:
        image = build_image(self.folder)
        port = _free_port()
        self.address = f"127.0.0.1:{port}"
        line = self.folder / "shell"
        forward = f"hostfwd=tcp:{self.address}-:{_GUEST_PORT}"
        begin = time.monotonic()
        with (self.folder / "emulator").open("wb") as errors:
            self._emulator = subprocess.Popen(
                [
                    *("nice", "-n", "10", EMULATOR, "-accel", "tcg,thread=single", "-cpu", "max"),
                    *("-smp", "1", "-m", str(_MEMORY_MB), "-display", "none", "-monitor", "none"),
                    *("-nodefaults", "-no-reboot", "-kernel", image.kernel, "-initrd", image.files),
                    *("-append", "console=ttyS0 quiet panic=-1 rdinit=/init"),
                    *("-nic", f"user,restrict=on,model=virtio-net-pci,{forward}"),
                    *("-serial", f"file:{self.console}"),
                    *("-chardev", f"socket,id=shell,path={line},server=on,wait=off"),
                    *("-serial", "chardev:shell"),
                ],
                stdin=subprocess.DEVNULL,
                stderr=errors,
            )
        self._wait_for_console("guest: ready", _BOOT_TIMEOUT_S)
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(str(line))
        self.shell("true")
        self.boot_s = time.monotonic() - begin

    def _wait_for_console(self, text: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while text not in self._console_text():
            assert self._emulator is not None
            if self._emulator.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "emulator").read_text(errors="replace")
                raise GuestError(f"the guest did not boot: {said}\n{self._console_text()}")
            time.sleep(0.1)

    def _console_text(self) -> str:
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def shell(self, command: str, timeout_s: float = 60.0) -> str:
        """What it printed, both streams. Raises GuestError where it fails or does not end."""
        assert self._line is not None
        self._line.settimeout(timeout_s)
        # Apart in the source, so that an echo of the command is not taken for the mark.
        mark = f"echo; echo {_MARK[:5]}''{_MARK[5:]} $?"
        self._line.sendall(f"(\n{command}\n) </dev/null 2>&1; {mark}\n".encode())
        received = b""
        while _MARK.encode() not in received or not received.endswith(b"\n"):
            try:
                part = self._line.recv(1 << 16)
            except TimeoutError:
                raise GuestError(f"no end of {command}: {received.decode()}") from None
            if not part:
                raise GuestError(f"the guest ended in {command}: {self._console_text()[-2000:]}")
            received += part
        output, _, code = received.decode(errors="replace").rpartition(_MARK)
        if int(code):
            raise GuestError(f"{command} exited {int(code)}: {output.strip()}")
        return output.replace("\r\n", "\n").strip("\n")

    @contextmanager
    def background(self, script: str) -> Iterator[None]:
        """A script that runs until the context is left."""
        pid = self.shell(f"( {script}\n) >/dev/null 2>&1 & echo $!")
        try:
            yield
        finally:
            self.shell(f"kill {pid}")

    def start_agent(self) -> None:
        """The agent in its own session, and the relay to it."""
        begin = time.monotonic()
        self.shell(
            f"setsid python3 -m trimtab_agent serve --listen unix:{_AGENT_SOCKET} "
            f"--state /var/lib/agent --name guest >/run/agent.log 2>&1 &\n"
            f"setsid socat TCP-LISTEN:{_GUEST_PORT},fork,reuseaddr UNIX-CONNECT:{_AGENT_SOCKET} "
            f">/run/relay.log 2>&1 &"
        )
        while "listening on" not in self.shell("cat /run/agent.log"):
            if time.monotonic() - begin > _AGENT_TIMEOUT_S:
                raise GuestError(f"the agent did not start: {self.shell('cat /run/agent.log')}")
            time.sleep(0.5)
        self.agent_s = time.monotonic() - begin


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
