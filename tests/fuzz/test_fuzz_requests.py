"""Random and changed requests for every method: each gets an answer of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
from fuzz.messages import request_messages
from fuzz.methods import Method, all_methods
from fuzz.samples import Sample, sample_of
from fuzz.target import Held, Target, chosen_seed, tell
from fuzz.uploads import upload_streams
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

_SHORT = 1000
_LONG = 20_000
_AFTER = 2000
_BLOCK = 500
# Shares of the requests; one looks at the whole device, which takes it seconds.
_WEIGHTS = {"SubmitJob": 40, "UploadArtifact": 30, "WatchTelemetry": 4, "Examine": 0}
_WEIGHT = 10

Request = tuple[Method, Sequence[bytes]]


def requests(sample: Sample) -> st.SearchStrategy[Request]:
    weighted = [
        method for method in all_methods() for _ in range(_WEIGHTS.get(method.name, _WEIGHT))
    ]

    @cache
    def for_method(method: Method) -> st.SearchStrategy[Request]:
        one = request_messages(method.request.DESCRIPTOR, sample)
        if not method.client_streaming:
            return one.map(lambda data: (method, (data,)))
        garbled = st.lists(one, max_size=3)
        streams = st.one_of(upload_streams(), upload_streams(), garbled)
        return streams.map(lambda payloads: (method, payloads))

    return st.sampled_from(weighted).flatmap(for_method)


def fire(
    target: Target, count: int, first_seed: int, each_block: Callable[[int], None] | None = None
) -> None:
    """In blocks, each with a seed of its own, so that a failing one can be had again alone."""
    strategy = requests(sample_of(target.prepare()))
    for begin in range(0, count, _BLOCK):
        fire_block(target, strategy, first_seed + begin)
        if each_block is not None:
            each_block(begin + _BLOCK)


def fire_block(target: Target, strategy: st.SearchStrategy[Request], block_seed: int) -> None:
    @seed(block_seed)
    @settings(
        max_examples=_BLOCK,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(request=strategy)
    def block(request: Request) -> None:
        method, payloads = request
        note(f"TRIMTAB_FUZZ_SEED={block_seed}: {method.path} {[p[:200] for p in payloads]}")
        target.send(method, payloads)

    block()


def test_random_requests_are_all_answered_from_the_catalogue(target: Target) -> None:
    fire(target, _SHORT, chosen_seed(default=7))
    target.check_log()
    assert_each_method_was_refused_and_served(target)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_thousand_requests_leave_the_agent_as_it_was(target: Target) -> None:
    held: dict[int, Held] = {}

    def keep(done: int) -> None:
        if done in (_AFTER, _LONG):
            held[done] = target.held()

    fire(target, _LONG, chosen_seed(), keep)
    target.check_log()
    assert_each_method_was_refused_and_served(target)
    tell((target.answers.most_common(), held))
    early, late = held[_AFTER], held[_LONG]
    assert late.memory_bytes < 1.1 * early.memory_bytes
    assert late.files <= early.files + 2


def test_looking_at_the_device_survives_what_it_is_asked(target: Target) -> None:
    """The doctor takes seconds: a few requests for it, beside the thousands."""
    examine: Any = next((each for each in all_methods() if each.name == "Examine"), None)
    if examine is None:
        pytest.skip("the contract has no doctor")
    for data in (b"", b"\x08\x01", b"\xff" * 20, b"\x0a\x7f"):
        target.send(examine, [data])
    target.check_log()


def assert_each_method_was_refused_and_served(target: Target) -> None:
    """Requests that are all refused at the door would prove little."""
    for name in ("SubmitJob", "UploadArtifact", "GetJob", "DownloadArtifact", "ListJobs"):
        outcomes = {key.partition(" ")[2] for key in target.answers if key.startswith(name + " ")}
        assert "OK" in outcomes, (name, target.answers)
        assert len(outcomes) > 1, (name, target.answers)
