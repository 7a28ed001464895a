"""What a runtime's own words of refusal name, and what can be done about it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """``unsupported``: operators, or the version of the whole format; empty: nothing is named."""

    unsupported: tuple[str, ...]
    advice: str


_EXPORT = "write the operator from others that the runtime has, or take another --runtime or format"
_VERSION = "export it again for a version that the runtime reads, or upgrade the runtime there"
_CUSTOM = "it needs a library of its own, which is not loaded: write it from standard operators"
_TYPE = "give that operator inputs of another type, or export for an opset that the runtime has"
_OPEN = "give every open dimension a size with --shape"
_ANOTHER = "check it with another --runtime or --accelerator, or export it again"

# What ONNX Runtime and LiteRT say; the groups become the name.
_PATTERNS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"Could not find an implementation for (?P<a>[\w.:]+)\((?P<b>\d+)\)"),
        "{a} (version {b})",
        _TYPE,
    ),
    (re.compile(r"(?P<a>[\w.:]+)\(-?\d+\) is not a registered function/op"), "{a}", _CUSTOM),
    (
        re.compile(r"No Op registered for (?P<a>[\w.:]+) with domain_version of (?P<b>\d+)"),
        "{a} (opset {b})",
        _VERSION,
    ),
    (re.compile(r"Opset (?P<a>\d+) is under development"), "opset {a}", _VERSION),
    (re.compile(r"Unsupported model IR version: (?P<a>\d+)"), "IR version {a}", _VERSION),
    (
        re.compile(r"Didn't find op for builtin opcode '(?P<a>\w+)' version '(?P<b>\d+)'"),
        "{a} (version {b})",
        _VERSION,
    ),
    (re.compile(r"[Uu]nresolved custom op: (?P<a>[\w./:]+?)[.,]?(?:\s|$)"), "{a}", _CUSTOM),
    (re.compile(r"Op builtin_code out of range: (?P<a>\d+)"), "builtin code {a}", _VERSION),
    (re.compile(r"Select TensorFlow op\(s\)[^:]*: (?P<a>Flex\w+)"), "{a}", _EXPORT),
    (re.compile(r"Node number \d+ \((?P<a>\w+)\) failed to (?:prepare|invoke)"), "{a}", _EXPORT),
)


def read_refusal(reason: str) -> Refusal:
    """Runtimes stop at the first that they cannot run: there may be more behind it."""
    named: dict[str, str] = {}
    for pattern, name, advice in _PATTERNS:
        for match in pattern.finditer(reason):
            parts = {key: value for key, value in match.groupdict().items() if value}
            named.setdefault(name.format(**parts), advice)
    if named:
        return Refusal(tuple(named), next(iter(named.values())))
    return Refusal((), _OPEN if "open dimensions" in reason else _ANOTHER)
