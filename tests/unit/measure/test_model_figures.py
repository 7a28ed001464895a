"""Parameters, multiply-accumulates and zeros as figures of a result."""

from collections.abc import Callable
from dataclasses import replace

from trimtab.decide.choose import decide
from trimtab.decide.requirements import parse_requirement
from trimtab.measure.model_figures import with_model_figures
from trimtab.measure.replay import replayed
from trimtab.measure.summarize import build_result
from trimtab.measure.validity import judged
from trimtab.records import Artifact, Check, ModelFacts, Objective, RawArm, Result
from trimtab_protos.errors import Failure

FACTS = ModelFacts(1200, None, 0.25, {"macs": "torch's counter does not know aten::_trilinear"})
BAD = Check("OUTPUTS_AGREE", "failed", True, (), "nonsense")


def test_unknown_is_unavailable_with_its_reason(make_result: Callable[..., Result]) -> None:
    metrics = with_model_figures(make_result("pruned"), FACTS).metrics
    assert (metrics["parameters"].value, metrics["parameters"].provenance) == (1200, "measured")
    assert (metrics["sparsity"].value, metrics["sparsity"].unit) == (0.25, "fraction")
    assert metrics["macs"].value is None
    assert metrics["macs"].reason == FACTS.unknown["macs"]
    known = with_model_figures(make_result("pruned"), replace(FACTS, macs=5)).metrics["macs"]
    assert judged("macs", known, (BAD,)).valid
    assert (known.value, known.provenance) == (5, "derived")


def test_a_file_alone_says_where_they_are_counted(
    make_raw_arm: Callable[..., RawArm],
    make_artifact: Callable[..., Artifact],
    make_result: Callable[..., Result],
) -> None:
    known = make_result(None)
    result = build_result(make_raw_arm(), make_artifact(), known.settings, known.device)
    for name in ("parameters", "macs", "sparsity"):
        assert "this file was only measured" in str(result.metrics[name].reason)


def test_a_failed_arm_has_no_figures(make_result: Callable[..., Result]) -> None:
    failed = make_result("pruned", error=Failure("model", "no such operator"))
    assert with_model_figures(failed, FACTS) == failed


def test_a_replay_keeps_what_samples_do_not_tell(
    make_raw_arm: Callable[..., RawArm], make_result: Callable[..., Result]
) -> None:
    recorded = with_model_figures(make_result("float", raw=make_raw_arm()), FACTS)
    assert replayed([recorded])[0].metrics["parameters"].value == 1200


def test_they_can_be_required_and_minimized(make_result: Callable[..., Result]) -> None:
    results = [
        with_model_figures(make_result(name, latency_p50_ms=1.0), replace(FACTS, macs=macs))
        for name, macs in (("float", 100), ("half", 50), ("tenth", 10))
    ]
    limit = parse_requirement("parameters<=1200")
    decided = decide(results, (limit,), Objective("macs")).devices[0]
    assert decided.chosen is not None
    assert decided.chosen.variant == "tenth"
    assert (
        decide(results, (parse_requirement("sparsity>=0.5"),), Objective("macs")).devices[0].chosen
        is None
    )
