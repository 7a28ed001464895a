"""``devices.toml``: read with the line in every error, written so that comments stay.

Only the text of a device that changed is made anew. A device's text begins with the comments right
above its ``[[device]]``, which go with it; those at the beginning of the file are nobody's.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit
import tomllib
from tomlkit.items import InlineTable

from trimtab.fleet.address import check_address
from trimtab.fleet.device_power import power_entry, power_from
from trimtab.fleet.inventory_device import LOCAL, InventoryDevice
from trimtab.fleet.selectors import RESERVED
from trimtab.records import UserError
from trimtab.whole_files import write_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENTRY = re.compile(r"\s*\[\[\s*device\s*\]\]")
_MEND = "mend or delete the file"
# What else stands in a device's table is the user's.
_OWN_KEYS = ("name", "address", "labels", "battery_wh", "power_model")


def may_be_added(name: str) -> bool:
    """Whether a device may be called so: also nothing that a shell or a selector would act upon."""
    return bool(_NAME.fullmatch(name)) and name not in (LOCAL, *RESERVED)


def read_inventory(path: Path) -> dict[str, InventoryDevice]:
    """By name. Raises UserError with the file and, for what is no inventory, the line."""
    return _devices(path, _text(path))


@contextmanager
def changed_inventory(path: Path) -> Iterator[dict[str, InventoryDevice]]:
    """What is there now, by name; what the block makes of it is written at its end, unless it
    raises. One process at a time, each on what the former left.

    Raises UserError where what is there cannot be read.
    """
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = _text(path)
        devices = _devices(path, text)
        yield devices
        rewritten = _rewritten(text, _entries(path, text), devices.values())
        if rewritten != text:
            write_whole(path, rewritten.encode())


def _devices(path: Path, text: str) -> dict[str, InventoryDevice]:
    devices: dict[str, InventoryDevice] = {}
    for number, entry in enumerate(_entries(path, text)):
        try:
            device = _device(entry)
            if device.name in devices:
                raise ValueError(f"there are two devices {device.name}")
        except (UserError, KeyError, TypeError, ValueError) as error:
            where = f"{path}:{_line_of_entry(text, number)}"
            advice = error.advice if isinstance(error, UserError) else _MEND
            raise UserError(
                f"{where}: this device cannot be used: {_why(error)}", advice
            ) from error
        devices[device.name] = device
    return devices


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", _MEND) from error


def _entries(path: Path, text: str) -> list[Any]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} cannot be read: {error}", _MEND) from error
    entries = content.get("device", [])
    unknown = sorted(set(content) - {"device"})
    if unknown or not isinstance(entries, list):
        what = f"{unknown[0]!r} is none of its keys" if unknown else "device is no list of tables"
        raise UserError(f"{path}: {what}", "each device is a table [[device]]")
    return entries


def _line_of_entry(text: str, number: int) -> int:
    """Of the device's ``[[device]]``, from 1; 1 where they are written in another way."""
    starts = [at for at, line in enumerate(text.splitlines(), 1) if _ENTRY.match(line)]
    return starts[number] if number < len(starts) else 1


def _why(error: Exception) -> str:
    if isinstance(error, UserError):
        return error.message
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _device(entry: Mapping[str, Any]) -> InventoryDevice:
    """Only the local device has no address. Raises UserError, KeyError, TypeError or ValueError."""
    name, labels = entry["name"], entry.get("labels", {})
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: letters, digits, dots, dashes, at most 64")
    if name in RESERVED:
        raise ValueError(f"{name!r} is no name: it is a word of selectors")
    if name == LOCAL and "address" in entry:
        raise ValueError(f"{LOCAL} is this machine, it has no address")
    if not isinstance(labels, dict) or not all(isinstance(each, str) for each in labels.values()):
        raise ValueError('labels are texts: labels = { kind = "pi5" }')
    address = "" if name == LOCAL else check_address(entry["address"])
    return InventoryDevice(name, address, labels, power_from(entry))


def _entry(device: InventoryDevice) -> dict[str, Any]:
    address = {} if device.is_local else {"address": device.address}
    labels = {"labels": dict(device.labels)} if device.labels else {}
    return {"name": device.name, **address, **labels, **power_entry(device.power)}


def _rewritten(text: str, entries: Sequence[Any], devices: Collection[InventoryDevice]) -> str:
    missing = {device.name: device for device in devices}
    # What is written in another way than as [[device]] cannot be taken apart: all of it is new.
    kept, *blocks = _parts(text, entries) or [""]
    for block, entry in zip(blocks, entries, strict=False):
        device = missing.pop(entry["name"], None)
        body, behind = _without_comments_behind(block)
        if device is not None:
            is_same = _device(entry) == device
            kept += (body if is_same else _updated(body, device)) + behind
        elif behind.strip():
            kept += behind
    for device in missing.values():
        kept = f"{kept.rstrip()}\n\n" if kept.strip() else ""
        kept += tomlkit.dumps({"device": [_new(_entry(device))]})
    return kept


def _parts(text: str, entries: Sequence[Any]) -> list[str] | None:
    """What stands before the devices, then each one's own text; None where it cannot be told."""
    lines = text.splitlines(keepends=True)
    starts = [at for at, line in enumerate(lines) if _ENTRY.match(line)]
    starts[1:] = [_with_comments_above(lines, at) for at in starts[1:]]
    ends = [*starts, len(lines)]
    parts = ["".join(lines[: ends[0]])]
    parts += ["".join(lines[start:end]) for start, end in zip(starts, ends[1:], strict=True)]
    try:
        alone = [tomllib.loads(part) for part in parts]
    except tomllib.TOMLDecodeError:  # it stands within a text of several lines, say
        return None
    return parts if alone == [{}, *({"device": [each]} for each in entries)] else None


def _with_comments_above(lines: Sequence[str], at: int) -> int:
    while lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return at


def _without_comments_behind(block: str) -> tuple[str, str]:
    """What follows a device's last line is not of it."""
    lines = block.splitlines(keepends=True)
    end = len(lines)
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
        end -= 1
    return "".join(lines[:end]), "".join(lines[end:])


def _updated(block: str, device: InventoryDevice) -> str:
    document = tomlkit.parse(block)
    entries: Any = document["device"]
    table, wanted = entries[0], _entry(device)
    written = table.get("address")
    if written is not None and check_address(written) == device.address:
        wanted["address"] = written
    gone = [key for key in _OWN_KEYS if table.get(key) and key not in wanted]
    if not _update(table, wanted, gone):
        return block
    return tomlkit.dumps(document)


def _update(table: Any, wanted: Mapping[str, Any], gone: Sequence[str]) -> bool:
    """Whether anything had to change."""
    for key in gone:
        del table[key]
    changed = bool(gone)
    for key, value in wanted.items():
        there = table.get(key)
        if there == value:
            continue
        changed = True
        if isinstance(there, dict) and not isinstance(there, InlineTable):
            _update(there, value, [each for each in there if each not in value])
        else:
            table[key] = _inline(value) if isinstance(value, dict) else value
    return changed


def _new(entry: Mapping[str, Any]) -> Any:
    table = tomlkit.table()
    for key, value in entry.items():
        table.add(key, _inline(value) if isinstance(value, dict) else value)
    return table


def _inline(values: Mapping[str, Any]) -> InlineTable:
    table = tomlkit.inline_table()
    table.update(values)
    return table
