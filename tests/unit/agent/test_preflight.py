"""Before a job: what already stands in the way is said at once."""

from trimtab_agent.preflight import Preflight
from trimtab_agent.records import Arm, FileRef
from trimtab_protos.digest import Digest

MB = 1_000_000


def arm(size: int) -> Arm:
    return Arm("a", (FileRef("m.onnx", Digest("0" * 64, size)),), "onnxruntime", "cpu", 1, "onnx")


def test_a_calm_device_has_nothing_to_say() -> None:
    calm = Preflight(0.01, 900 * MB, 500 * MB, {"power_source": "mains", "throttling": "not now"})
    assert list(calm.warnings((arm(MB),))) == []
    assert [check.outcome for check in calm.checks(arm(MB))] == ["passed", "passed"]
    assert calm.conditions() == {"foreign_load": "0.010", "disk_free_mb": "500"}


def test_everything_in_the_way_is_named_with_what_to_do() -> None:
    look = {"power_source": "battery", "throttling": "under-voltage, throttled"}
    bad = Preflight(0.7, 10 * MB, 5 * MB, look)
    warnings = list(bad.warnings((arm(MB), arm(20 * MB))))
    names = [text.split(": ")[1] for text in warnings]
    assert names == ["FOREIGN_LOAD", "POWER_SOURCE", "FREE_MEMORY", "FREE_DISK", "NOT_THROTTLED"]
    assert all(text.partition("; ")[2] for text in warnings)
    assert "the model may take 40.0 MB" in warnings[2]
    assert "under-voltage, throttled" in warnings[4]
    assert bad.checks(arm(MB))[0].outcome == "passed", "each arm is judged by its own file"


def test_what_is_not_told_is_not_called_a_problem() -> None:
    silent = Preflight(None, None, None, {"throttling": "unknown: neither tells"})
    assert list(silent.warnings((arm(MB),))) == []
    assert silent.conditions() == {"foreign_load": "unknown"}
