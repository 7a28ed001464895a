"""An agent to be fuzzed, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fuzz.target import Target

# Else most requests would get the same answer.
_NO_LIMIT = ("--max-calls-per-second", "1000000")


@pytest.fixture
def make_target(start_agent: Any) -> Iterator[Callable[..., Target]]:
    """``make_target(*serve_options, listen=None, state=None)``."""
    targets: list[Target] = []

    def make(*options: str, **settings: Any) -> Target:
        agent = start_agent(*_NO_LIMIT, *options, **settings)
        targets.append(Target(agent.address, agent.pid, agent.log))
        return targets[-1]

    yield make
    for target in targets:
        target.close()


@pytest.fixture
def target(make_target: Callable[..., Target]) -> Target:
    return make_target()
