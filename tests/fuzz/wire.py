"""HTTP/2 by hand: a right exchange as frames, and what can be done to it on the wire.

RFC 9113 for the frames, RFC 7541 for the headers (literals without an index, no Huffman code).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 0x1, 0x4
_STREAMS = (0, 1, 2, 3, 5, 0x7FFFFFFF)


@dataclass(frozen=True)
class Frame:
    """``length``: what the head says, where that is not the payload's own."""

    kind: int
    flags: int
    stream: int
    payload: bytes
    length: int | None = None

    def encode(self) -> bytes:
        size = len(self.payload) if self.length is None else self.length
        head = struct.pack(">I", size & 0xFFFFFF)[1:] + bytes((self.kind & 255, self.flags & 255))
        return head + struct.pack(">I", self.stream & 0xFFFFFFFF) + self.payload


def call_frames(path: str, messages: Sequence[bytes]) -> list[Frame]:
    """One call on a new connection, from the settings on."""
    body = b"".join(prefixed(message) for message in messages)
    return [
        Frame(SETTINGS, 0, 0, b""),
        Frame(HEADERS, END_HEADERS, 1, b"".join(_header(*pair) for pair in _headers(path))),
        Frame(DATA, END_STREAM, 1, body),
    ]


def prefixed(message: bytes, compressed: int = 0, length: int | None = None) -> bytes:
    """gRPC's own frame around a message."""
    size = len(message) if length is None else length
    return struct.pack(">BI", compressed, size) + message


def _headers(path: str) -> tuple[tuple[str, str], ...]:
    return (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-timeout", "5S"),
    )


def _header(name: str, value: str) -> bytes:
    texts = (name.encode("latin-1"), value.encode("latin-1"))
    return b"\0" + b"".join(_length(len(text)) + text for text in texts)


def _length(value: int) -> bytes:
    """RFC 7541's integer with a prefix of seven bits."""
    if value < 127:
        return bytes((value,))
    out, value = bytearray((127,)), value - 127
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes((*out, value))


def mutated_exchange(random: Random, path: str, messages: Sequence[bytes]) -> bytes:
    """A whole connection's bytes, wrong in one to three ways."""
    frames = call_frames(path, messages)
    for _ in range(random.randint(1, 3)):
        random.choice(_FRAME_CHANGES)(random, frames)
    data = PREFACE + b"".join(frame.encode() for frame in frames)
    return random.choice(_BYTE_CHANGES)(random, data)


def _other_frame(random: Random, frames: list[Frame]) -> None:
    payload = random.randbytes(random.choice((0, 1, 4, 5, 6, 8, 9, 64, 20_000)))
    stream = random.choice(_STREAMS)
    frame = Frame(random.randint(0, 15), random.getrandbits(8), stream, payload)
    frames.insert(random.randint(0, len(frames)), frame)


def _wrong_length(random: Random, frames: list[Frame]) -> None:
    place = random.randrange(len(frames))
    wrong = random.choice((0, 1, 0x4000, 0x4001, 0xFFFFFF))
    frames[place] = replace(frames[place], length=wrong)


def _other_stream(random: Random, frames: list[Frame]) -> None:
    place = random.randrange(len(frames))
    frames[place] = replace(frames[place], stream=random.choice((*_STREAMS, 0xFFFFFFFF)))


def _other_flags(random: Random, frames: list[Frame]) -> None:
    place = random.randrange(len(frames))
    frames[place] = replace(frames[place], flags=random.getrandbits(8))


def _order(random: Random, frames: list[Frame]) -> None:
    random.shuffle(frames)


def _again(random: Random, frames: list[Frame]) -> None:
    frames.append(random.choice(frames))


def _settings(random: Random, frames: list[Frame]) -> None:
    pairs = (
        struct.pack(">HI", random.randint(0, 9), random.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF)))
        for _ in range(random.randint(1, 20))
    )
    frames.insert(0, Frame(SETTINGS, 0, 0, b"".join(pairs)))


def _flood(random: Random, frames: list[Frame]) -> None:
    """Hundreds of small ones, as in the known floods: pings, resets, settings, empty data."""
    kinds = (
        Frame(PING, 0, 0, b"\0" * 8),
        Frame(RST_STREAM, 0, 1, b"\0\0\0\x08"),
        Frame(SETTINGS, 0, 0, b""),
        Frame(DATA, 0, 1, b""),
        Frame(WINDOW, 0, 0, b"\0\0\0\0"),
        Frame(CONTINUATION, 0, 1, b"\0\x01a\x01b"),
        Frame(PRIORITY, 0, 1, b"\0\0\0\x01\0"),
    )
    frames[1:1] = [random.choice(kinds)] * random.randint(100, 400)


def _huge_headers(random: Random, frames: list[Frame]) -> None:
    value = "x" * random.choice((9_000, 16_000, 70_000))
    pairs = b"".join(_header(f"x-{number}", value) for number in range(random.randint(1, 4)))
    head = next((frame for frame in frames if frame.kind == HEADERS), None)
    if head is not None:
        place = frames.index(head)
        pieces = [pairs[start : start + 16_000] for start in range(0, len(pairs), 16_000)]
        frames[place] = replace(head, flags=head.flags & ~END_HEADERS)
        more = [Frame(CONTINUATION, 0, head.stream, piece) for piece in pieces]
        more[-1] = replace(more[-1], flags=END_HEADERS)
        frames[place + 1 : place + 1] = more


def _bad_headers(random: Random, frames: list[Frame]) -> None:
    bad = (
        _header("grpc-timeout", random.choice(("", "-1S", "99999999999H", "x"))),
        _header("grpc-encoding", random.choice(("gzip", "nonsense", ""))),
        _header("content-type", "text/html"),
        _header("Upper", "case"),
        _header(":path", "/" + "a/" * 3000),
        _header("bin-bin", "not base64 !!!"),
        _header("nul\0", "line\r\nbreak"),
        b"\xff\xff\xff\xff\xff\x0f",
        bytes((0x80,)),
        b"\0\x7f\xff\xff\xff\xff\xff\x7f",
    )
    for place, frame in enumerate(frames):
        if frame.kind == HEADERS:
            frames[place] = replace(frame, payload=frame.payload + random.choice(bad))


def _bad_body(random: Random, frames: list[Frame]) -> None:
    garbage = random.randbytes(random.randint(0, 60))
    bodies = (
        prefixed(garbage, compressed=1),
        prefixed(garbage, compressed=random.randint(2, 255)),
        prefixed(garbage, length=0xFFFFFFFF),
        prefixed(garbage, length=(4 << 20) + 1),
        prefixed(garbage, length=len(garbage) + 1),
        prefixed(garbage)[:3],
        garbage,
        b"",
        prefixed(b"") * 500,
    )
    for place, frame in enumerate(frames):
        if frame.kind == DATA:
            frames[place] = replace(frame, payload=random.choice(bodies))


_FRAME_CHANGES: tuple[Callable[[Random, list[Frame]], None], ...] = (
    _other_frame,
    _wrong_length,
    _other_stream,
    _other_flags,
    _order,
    _again,
    _settings,
    _flood,
    _huge_headers,
    _bad_headers,
    _bad_body,
)


def _as_it_is(random: Random, data: bytes) -> bytes:
    return data


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data))]


def _bits(random: Random, data: bytes) -> bytes:
    turned = bytearray(data)
    for _ in range(random.randint(1, 8)):
        turned[random.randrange(len(turned))] ^= 1 << random.randrange(8)
    return bytes(turned)


def _noise(random: Random, data: bytes) -> bytes:
    return random.randbytes(random.choice((1, 24, 500, 5000)))


def _noise_after_preface(random: Random, data: bytes) -> bytes:
    return PREFACE + random.randbytes(random.choice((1, 9, 500, 5000)))


def _http1(random: Random, data: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"b" * random.randrange(5000) + b"\r\n\r\n"


_BYTE_CHANGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _as_it_is,
    _as_it_is,
    _as_it_is,
    _cut,
    _bits,
    _bits,
    _noise,
    _noise_after_preface,
    _http1,
)
