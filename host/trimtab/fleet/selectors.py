"""Which devices are meant: ``label:kind=pi5 and not name:spare*``, ``memory>=2GB``.

    pi5                      a name, or a pattern of names (``pi*``); also ``name:pi5``
    label:kind=pi5           a label with that value
    runtime:litert           its agent can use that runtime
    memory>=2GB              its memory; also <=, >, <, with MB, GB (powers of ten), MiB, GiB
    all                      every device
    not A, A and B, A or B   ``not`` binds closest, then ``and``; parentheses as usual

What a device has is asked only where a selector speaks of it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from trimtab.fleet.inventory_device import InventoryDevice, parse_label
from trimtab.fleet.jobs import DeviceInfo
from trimtab.records import UserError

_WORD = re.compile(r"\(|\)|[^\s()]+")
_MEMORY = re.compile(r"memory(>=|<=|>|<)(\d+(?:\.\d+)?)(MB|GB|MiB|GiB)")
_UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
RESERVED = ("all", "and", "or", "not")
_FORMS = "write a name, label:KEY=VALUE, runtime:NAME, memory>=2GB, with and, or, not, ( )"
_Test = Callable[[InventoryDevice, DeviceInfo | None], bool]


@dataclass(frozen=True)
class Selector:
    """``asks``: the device itself must be asked; one that does not answer then never matches."""

    text: str
    matches: _Test
    asks: bool


def parse_selector(text: str) -> Selector:
    """Raises UserError with what is wrong."""
    parser = _Parser(text, _WORD.findall(text))
    test = parser.alternatives()
    if parser.position < len(parser.words):
        raise parser.wrong(f"{parser.words[parser.position]!r} is one too many")
    return Selector(text, test, parser.asks)


@dataclass
class _Parser:
    text: str
    words: list[str]
    position: int = 0
    asks: bool = False

    def alternatives(self) -> _Test:
        tests = [self._together()]
        while self._take("or"):
            tests.append(self._together())
        return tests[0] if len(tests) == 1 else lambda d, i: any(each(d, i) for each in tests)

    def wrong(self, what: str) -> UserError:
        return UserError(f"not a selector: {self.text}: {what}", _FORMS)

    def _together(self) -> _Test:
        tests = [self._one()]
        while self._take("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda d, i: all(each(d, i) for each in tests)

    def _one(self) -> _Test:
        if self._take("not"):
            inner = self._one()
            return lambda device, info: not inner(device, info)
        if self._take("("):
            inner = self.alternatives()
            if not self._take(")"):
                raise self.wrong("a parenthesis is not closed")
            return inner
        if self.position >= len(self.words):
            raise self.wrong("something is missing at its end")
        self.position += 1
        return self._operand(self.words[self.position - 1])

    def _operand(self, word: str) -> _Test:
        if word in (")", "and", "or"):
            raise self.wrong(f"something is missing before {word!r}")
        kind, _, value = word.partition(":")
        if word == "all":
            return lambda device, info: True
        if kind == "label" and value:
            key, wanted = parse_label(value)
            return lambda device, info: device.labels.get(key) == wanted
        if kind == "runtime" and value:
            self.asks = True
            return lambda device, info: info is not None and _has_runtime(info, value)
        if word.startswith("memory") and word[6:7] in ("<", ">", "="):
            return self._memory(word)
        pattern = value if kind == "name" else word
        if not pattern or (":" in word and kind != "name"):
            raise self.wrong(f"{word!r} is none of what can be asked")
        return lambda device, info: fnmatchcase(device.name, pattern)

    def _memory(self, word: str) -> _Test:
        found = _MEMORY.fullmatch(word)
        if found is None:
            raise self.wrong(f"{word!r} is no comparison such as memory>=2GB")
        self.asks = True
        compare, limit = _COMPARISONS[found[1]], float(found[2]) * _UNITS[found[3]]
        return lambda device, info: info is not None and compare(info.memory_bytes, limit)

    def _take(self, word: str) -> bool:
        there = self.position < len(self.words) and self.words[self.position] == word
        self.position += there
        return there


def _has_runtime(info: DeviceInfo, name: str) -> bool:
    return any(each.name == name and not each.unavailable_reason for each in info.runtimes)
