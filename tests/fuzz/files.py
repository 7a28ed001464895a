"""Files with something wrong in them: bits turned, cut off, stretched, lengths that are none."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

_EXTREMES = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0", b"\1\0\0\0")


def mutated(data: bytes, random: Random) -> bytes:
    """A copy with one to four changes."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        if changed:
            random.choice(_CHANGES)(changed, random)
    return bytes(changed)


def _bits(data: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 4, 64))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _bits_at_an_end(data: bytearray, random: Random) -> None:
    """Where formats have their structure; most of a model is weights."""
    near = min(len(data), 400)
    for _ in range(random.choice((1, 4))):
        place = random.randrange(near)
        data[place if random.random() < 0.5 else -1 - place] ^= 1 << random.randrange(8)


def _cut(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data)) :]


def _cut_out(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    del data[place : place + random.choice((1, 4, 100, 5000))]


def _put_in(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    data[place:place] = random.randbytes(random.choice((1, 4, 100)))


def _extreme(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data)) & ~3
    data[place : place + 4] = random.choice(_EXTREMES)


def _again(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    data[place:place] = data[place : place + 1000]


_CHANGES: tuple[Callable[[bytearray, Random], None], ...] = (
    _bits,
    _bits_at_an_end,
    _bits_at_an_end,
    _cut,
    _cut_out,
    _put_in,
    _extreme,
    _extreme,
    _again,
)
