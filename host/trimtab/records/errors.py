"""The user's own mistakes."""

from __future__ import annotations


class UserError(Exception):
    """A wrong file, option or project: ``message`` says what, ``advice`` what to do. Exit 2."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
