"""Where in a TOML text each key and value stands, so that an error can name its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import tomllib
import tree_sitter
import tree_sitter_toml

KeyPath = tuple[str | int, ...]
_KEY_TYPES = frozenset({"bare_key", "quoted_key", "dotted_key"})


def line_numbers(text: str) -> Mapping[KeyPath, int]:
    """Line (from 1) of every table, key and array element, by its path in the parsed document."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
    lines: dict[KeyPath, int] = {(): 1}
    counts: Counter[KeyPath] = Counter()
    for node in parser.parse(text.encode()).root_node.named_children:
        for path, line in _top_level(node, counts):
            lines.setdefault(path, line)
    return lines


def nearest_line(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of the path, or of the nearest table around it."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def _top_level(node: tree_sitter.Node, counts: Counter[KeyPath]) -> Iterator[tuple[KeyPath, int]]:
    if node.type == "pair":
        yield from _pair(node, ())
    if node.type not in ("table", "table_array_element"):
        return
    path: KeyPath = _key(node.named_children[0])
    if node.type == "table_array_element":
        counts[path] += 1
        yield path, _line(node)
        path = (*path, counts[path] - 1)
    elif counts[path[:-1]]:  # [variant.measure] belongs to the latest [[variant]]
        path = (*path[:-1], counts[path[:-1]] - 1, path[-1])
    yield path, _line(node)
    for child in node.named_children[1:]:
        if child.type == "pair":
            yield from _pair(child, path)


def _pair(node: tree_sitter.Node, base: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    children = [child for child in node.named_children if child.type != "comment"]
    key = _key(children[0])
    for length in range(1, len(key) + 1):
        yield (*base, *key[:length]), _line(node)
    yield from _value(children[1], (*base, *key))


def _value(node: tree_sitter.Node, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if node.type == "inline_table":
        for child in node.named_children:
            if child.type == "pair":
                yield from _pair(child, path)
    elif node.type == "array":
        elements = [child for child in node.named_children if child.type != "comment"]
        for index, element in enumerate(elements):
            yield (*path, index), _line(element)
            yield from _value(element, (*path, index))


def _key(node: tree_sitter.Node) -> tuple[str, ...]:
    if node.type == "dotted_key":
        return tuple(
            part
            for child in node.named_children
            if child.type in _KEY_TYPES
            for part in _key(child)
        )
    text = (node.text or b"").decode()
    if node.type == "quoted_key":
        return tuple(tomllib.loads(f"{text} = 0"))
    return (text,)


def _line(node: tree_sitter.Node) -> int:
    return int(node.start_point.row) + 1
