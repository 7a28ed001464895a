"""What a push is measured against: one TCP connection, hashed, written and synced, and no more.

    python -m benchkit.raw_receiver FOLDER CHUNK_BYTES

prints its port. Each connection is a file of its own: what arrives is hashed, written in pieces of
that size, and synced to the disk; then the SHA-256 goes back. ``pushed_raw`` is the sender.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def receiving(folder: Path, chunk_bytes: int) -> Iterator[int]:
    """Its port, while a process of its own receives."""
    command = [sys.executable, "-m", "benchkit.raw_receiver", str(folder), str(chunk_bytes)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    try:
        assert process.stdout is not None  # noqa: S101
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def pushed_raw(port: int, path: Path, chunk_bytes: int) -> str:
    """The SHA-256 of what arrived."""
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        path.open("rb", buffering=0) as file,
    ):
        while data := file.read(chunk_bytes):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(32, socket.MSG_WAITALL).hex()


def _receive(connection: socket.socket, path: Path, chunk_bytes: int) -> bytes:
    digest, piece = hashlib.sha256(), memoryview(bytearray(chunk_bytes))
    with path.open("wb", buffering=0) as file:
        while count := connection.recv_into(piece, chunk_bytes, socket.MSG_WAITALL):
            digest.update(piece[:count])
            file.write(piece[:count])
        os.fsync(file.fileno())
    return digest.digest()


def main(folder: str, chunk_bytes: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    target = Path(folder) / "received"
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(_receive(connection, target, int(chunk_bytes)))
        target.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
