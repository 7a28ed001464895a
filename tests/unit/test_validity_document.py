"""docs/validity.md names every check that the code can make, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from trimtab.measure.agreement import DEFAULT_LIMITS
from trimtab_agent.disturbance import FOREIGN_LOAD_LIMIT, FREQUENCY_DROP
from trimtab_agent.memory_checks import LOW_DISK_BYTES, ROOM_FOR_MODEL
from trimtab_agent.paging import FAULT_LIMIT
from trimtab_agent.scenario import MISSED_LIMIT
from trimtab_agent.validity import SPREAD_LIMIT

_REPOSITORY = Path(__file__).resolve().parents[2]
_DOCUMENT = _REPOSITORY / "docs" / "validity.md"
_SOURCES = ("agent/trimtab_agent", "host/trimtab")
_COPIED = {"store/codec.py", "fleet/convert.py", "trimtab_agent/convert.py"}  # names come from data
_NAME = re.compile(r"[A-Z]+(_[A-Z]+)*")


def check_names(source: str) -> set[str]:
    """First arguments of ``Check(...)``, and of functions that pass their ``name`` on to it."""
    tree = ast.parse(source)
    makers = {"Check", *_functions_that_take_a_name(tree)}
    constants = dict(_constants(tree))
    found: set[str] = set()
    for call in _calls(tree, makers):
        match call.args[0] if call.args else None:
            case ast.Constant(value=str(text)):
                found.add(text)
            case ast.Name(id=variable):
                found |= constants.get(variable, set())
    return {name for name in found if _NAME.fullmatch(name)}


def _functions_that_take_a_name(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.args.args and node.args.args[0].arg == "name":
            yield node.name


def _constants(tree: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """Each variable with every text that is assigned to it anywhere in the file."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target, value in _assigned(node):
                if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
                    found.setdefault(target.id, set()).add(str(value.value))
    yield from found.items()


def _assigned(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _calls(tree: ast.Module, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def _files() -> Iterator[Path]:
    for folder in _SOURCES:
        for path in sorted((_REPOSITORY / folder).rglob("*.py")):
            if not any(path.as_posix().endswith(copied) for copied in _COPIED):
                yield path


def _sections() -> dict[str, str]:
    _, *parts = re.split(r"^### ", _DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: text for name, _, text in (part.partition("\n") for part in parts)}


def test_names_are_found_however_they_are_handed_to_a_check() -> None:
    source = """
KEPT = "BY_CONSTANT"
def one():
    name, limit = "BY_TUPLE", 3
    return Check(name, "failed"), Check(KEPT, "passed"), Check("BY_TEXT", "passed")
def two():
    return held("HELPER", [])
def held(name, values):
    return Check(name, "passed")
"""
    assert check_names(source) == {"BY_CONSTANT", "BY_TUPLE", "BY_TEXT", "HELPER"}


def test_every_file_that_makes_a_check_tells_its_name() -> None:
    for path in _files():
        source = path.read_text(encoding="utf-8")
        if any(True for _ in _calls(ast.parse(source), {"Check"})):
            assert check_names(source), f"{path}: no name of a check could be found"


def test_the_document_has_a_section_for_every_check_and_for_no_other() -> None:
    names = set[str]().union(*(check_names(path.read_text(encoding="utf-8")) for path in _files()))
    assert {"GOVERNOR", "OUTPUTS_AGREE", "START_TEMPERATURE", "RATE_KEPT"} <= names
    assert set(_sections()) == names


@pytest.mark.parametrize("name", sorted(_sections()))
def test_a_section_says_what_is_looked_at_what_it_voids_and_what_to_do(name: str) -> None:
    text = _sections()[name]
    for part in ("- Looks at: ", "- Voids: ", "- Speaks of: ", "- What to do: "):
        assert part in text, f"{name} lacks {part!r}"
    assert re.search(r"\bwarns\b", text, re.IGNORECASE), f"{name} does not say when it warns"


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("FOREIGN_LOAD", f"{FOREIGN_LOAD_LIMIT * 100:g} %"),
        ("NOT_THROTTLED", f"{FREQUENCY_DROP * 100:g} %"),
        ("RATE_KEPT", f"{MISSED_LIMIT * 100:g} %"),
        ("BETWEEN_REPEAT_SPREAD", f"{SPREAD_LIMIT}"),
        ("NO_SWAPPING", f"once in {1 / FAULT_LIMIT:g} samples"),
        ("FREE_DISK", f"{LOW_DISK_BYTES / 1e6:g} MB"),
        ("OUTPUTS_AGREE", f"limit {DEFAULT_LIMITS.min_sqnr_db:g} dB"),
        ("OUTPUTS_AGREE", f"limit {DEFAULT_LIMITS.min_agreement:g}"),
    ],
)
def test_the_limits_in_the_document_are_those_of_the_code(name: str, limit: str) -> None:
    assert limit in _sections()[name]


def test_twice_the_file_is_what_the_code_allows_for() -> None:
    assert ROOM_FOR_MODEL == 2
    assert "twice the model's file" in _sections()["FREE_MEMORY"]
