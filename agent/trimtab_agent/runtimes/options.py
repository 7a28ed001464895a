"""Which values an option of a runtime may have: names from a list, or whole numbers in a range."""

from __future__ import annotations

from dataclasses import dataclass

ON_OFF = ("0", "1")


@dataclass(frozen=True)
class Whole:
    """A whole number, both ends among the allowed; written without a sign or leading zeros."""

    least: int
    most: int

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, str) or not value.isascii() or not value.isdecimal():
            return False
        return str(int(value)) == value and self.least <= int(value) <= self.most

    def __str__(self) -> str:
        return f"whole numbers from {self.least} to {self.most}"


Values = tuple[str, ...] | Whole


def listed(values: Values) -> str:
    """For people: what may be given."""
    return str(values) if isinstance(values, Whole) else ", ".join(values)
