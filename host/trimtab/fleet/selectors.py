"""Which devices are meant: ``label:kind=pi5 and not name:spare*``, ``memory>=2GB``.

    pi5                      a name, or a pattern of names (``pi*``); also ``name:pi5``
    label:kind=pi5           a label with that value
    runtime:litert           its agent can use that runtime
    memory>=2GB              its memory; also <=, >, <, with MB, GB (powers of ten), MiB, GiB
    all                      every device
    not A, A and B, A or B   ``not`` binds closest, then ``and``; parentheses as usual

What a device has is asked only where the rest of the selector leaves open whether it is meant.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from trimtab.fleet.inventory_device import InventoryDevice, split_label
from trimtab.fleet.jobs import DeviceInfo
from trimtab.records import UserError

_WORD = re.compile(r"\(|\)|[^\s()]+")
_MEMORY = re.compile(r"memory(>=|<=|>|<)(\d+(?:\.\d+)?)(MB|GB|MiB|GiB)")
# What a name consists of, with wildcards; anything else would be a pattern that no name matches.
_PATTERN = re.compile(r"(?:[A-Za-z0-9._*?-]|\[!?[A-Za-z0-9._-]+\])+")
_COMPARED = re.compile(r"([A-Za-z][\w.-]*)(>=|<=|>|<|!=|=)([\w.-]+)")
_UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
RESERVED = ("all", "and", "or", "not")
_FORMS = "write a name, label:KEY=VALUE, runtime:NAME, memory>=2GB, with and, or, not, ( )"
_DEEPEST = 50
_SHOWN = 120
_Test = Callable[[InventoryDevice, DeviceInfo | None], bool | None]


@dataclass(frozen=True)
class Selector:
    """``matches`` says None where it depends on what the device has, which is not known.
    ``names``: the names, and patterns of names, that stand in it."""

    text: str
    matches: _Test
    names: frozenset[str]


def is_plain(pattern: str) -> bool:
    """Whether it is one device's name, without wildcards."""
    return not set(pattern) & set("*?[")


def parse_selector(text: str) -> Selector:
    """Raises UserError with what is wrong."""
    parser = _Parser(text, _WORD.findall(text))
    test = parser.alternatives()
    if parser.position < len(parser.words):
        raise parser.wrong(parser.one_too_many())
    return Selector(text, test, frozenset(parser.names))


@dataclass
class _Parser:
    text: str
    words: list[str]
    position: int = 0
    depth: int = 0
    names: list[str] = field(default_factory=list)

    def alternatives(self) -> _Test:
        tests = [self._together()]
        while self._take("or"):
            tests.append(self._together())
        return tests[0] if len(tests) == 1 else lambda d, i: _either(each(d, i) for each in tests)

    def wrong(self, what: str) -> UserError:
        text = self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]}…"
        return UserError(f"not a selector: {text}: {what}", _FORMS)

    def one_too_many(self) -> str:
        before, word = self.words[self.position - 1], self.words[self.position]
        text = f"{word!r} is one too many"
        if not before.startswith("label:") or word == ")":
            return text
        # Only by hand can a label get one: `devices label` takes none.
        return f"{text}; no selector names a label with a blank or a parenthesis: give it another"

    def _together(self) -> _Test:
        tests = [self._one()]
        while self._take("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda d, i: _all(each(d, i) for each in tests)

    def _one(self) -> _Test:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.wrong(f"it is nested deeper than {_DEEPEST}")
        test = self._nested() or self._operand()
        self.depth -= 1
        return test

    def _nested(self) -> _Test | None:
        if self._take("not"):
            negated = self._one()
            return lambda device, info: _not(negated(device, info))
        if self._take("("):
            inner = self.alternatives()
            if not self._take(")"):
                raise self.wrong("a parenthesis is not closed")
            return inner
        return None

    def _operand(self) -> _Test:
        if self.position >= len(self.words):
            raise self.wrong("something is missing at its end")
        word = self.words[self.position]
        self.position += 1
        if word in (")", "and", "or"):
            raise self.wrong(f"something is missing before {word!r}")
        kind, _, value = word.partition(":")
        if word == "all":
            return lambda device, info: True
        if kind == "label" and value:
            return self._label(value)
        if kind == "runtime" and value:
            return lambda device, info: None if info is None else _has_runtime(info, value)
        if word.startswith("memory") and word[6:7] in ("<", ">", "="):
            return self._memory(word)
        pattern = value if kind == "name" else word
        if not pattern or (":" in word and kind != "name"):
            raise self.wrong(f"{word!r} is none of what can be asked")
        return self._name(word, pattern)

    def _label(self, text: str) -> _Test:
        key, wanted = split_label(text)
        if key[-1] in "!<>":
            meant = f"not label:{key[:-1]}={wanted}" if key[-1] == "!" else "label:KEY=VALUE"
            raise self.wrong(f"labels are compared by = alone: write {meant}")
        return lambda device, info: device.labels.get(key) == wanted

    def _name(self, word: str, pattern: str) -> _Test:
        if not _PATTERN.fullmatch(pattern):
            meant = _perhaps_meant(word)
            hint = f": write {meant}" if meant else ""
            raise self.wrong(f"{word!r} is no name and no pattern of names{hint}")
        self.names.append(pattern)
        return lambda device, info: fnmatchcase(device.name, pattern)

    def _memory(self, word: str) -> _Test:
        found = _MEMORY.fullmatch(word)
        if found is None:
            raise self.wrong(f"{word!r} is no comparison such as memory>=2GB")
        compare, limit = _COMPARISONS[found[1]], float(found[2]) * _UNITS[found[3]]
        return lambda device, info: None if info is None else compare(info.memory_bytes, limit)

    def _take(self, word: str) -> bool:
        there = self.position < len(self.words) and self.words[self.position] == word
        self.position += there
        return there


def _perhaps_meant(word: str) -> str:
    """The form for what does not have one; empty where it cannot be guessed."""
    if "," in word.strip(","):
        return " or ".join(filter(None, word.split(",")))
    if word.startswith("!"):
        return f"not {word[1:]}" if word[1:] else ""
    found = _COMPARED.fullmatch(word)
    if found is None:
        return ""
    key, sign, value = found.groups()
    if sign not in ("=", "!="):
        memory = f"memory{sign}{value}"
        return memory if _MEMORY.fullmatch(memory) else "memory>=2GB"
    if key == "label":
        return f"label:{value}=VALUE"
    meant = f"{key}:{value}" if key in ("name", "runtime") else f"label:{key}={value}"
    return f"not {meant}" if sign == "!=" else meant


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _all(answers: Iterable[bool | None]) -> bool | None:
    """What is not known matters only where all else holds."""
    seen = set(answers)
    if False in seen:
        return False
    return None if None in seen else True


def _either(answers: Iterable[bool | None]) -> bool | None:
    seen = set(answers)
    if True in seen:
        return True
    return None if None in seen else False


def _has_runtime(info: DeviceInfo, name: str) -> bool:
    return any(each.name == name and not each.unavailable_reason for each in info.runtimes)
