"""From what a device said of a model to an answer with the operators it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from trimtab.campaign.check import support_of
from trimtab.campaign.unsupported import read_refusal
from trimtab.cli.check import support_exit_code
from trimtab.fleet.dispatch import why_not
from trimtab.fleet.jobs import ArmOutcome, ArmRequest, RuntimeInfo
from trimtab.fleet.support import Answer
from trimtab.records import Artifact, ArtifactFile, MeasurementSettings, Support
from trimtab.report.support_view import support_lines
from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import Failure


@pytest.mark.parametrize(
    ("reason", "named", "advice"),
    [
        (
            "NOT_IMPLEMENTED : Could not find an implementation for Relu(14) node with name 'r'",
            ("Relu (version 14)",),
            "another type",
        ),
        (
            "FAIL : Fatal error: my.ops:Bar(-1) is not a registered function/op",
            ("my.ops:Bar",),
            "standard operators",
        ),
        ("Error No Op registered for Bar with domain_version of 17", ("Bar (opset 17)",), "again"),
        ("Opset 99 is under development and support is limited", ("opset 99",), "again"),
        (
            "Unsupported model IR version: 99, max supported IR version: 14",
            ("IR version 99",),
            "upgrade the runtime",
        ),
        (
            "Didn't find op for builtin opcode 'GATHER_ND' version '5'. An older version of this "
            "builtin might be supported.",
            ("GATHER_ND (version 5)",),
            "upgrade the runtime",
        ),
        (
            "Encountered unresolved custom op: FlexErf. See instructions: https://a.b/custom_op",
            ("FlexErf",),
            "library of its own",
        ),
        ("Node number 3 (CONV_2D) failed to prepare.", ("CONV_2D",), "--runtime"),
        ("the model has open dimensions: x ?x4", (), "--shape"),
        ("quantized_dimension must be in range [0, 1). Was 3.", (), "export it again"),
    ],
)
def test_what_a_runtime_names_is_named_with_what_to_do(
    reason: str, named: tuple[str, ...], advice: str
) -> None:
    refusal = read_refusal(reason)
    assert refusal.unsupported == named
    assert advice in refusal.advice


def request(accelerator: str = "cpu") -> ArmRequest:
    file = ArtifactFile("m.onnx", Path("m.onnx"), digest_bytes(b"m"))
    settings = MeasurementSettings(runtime="onnxruntime", accelerator=accelerator)
    return ArmRequest("m", Artifact("onnx", (file,), 1), settings)


def outcome(
    failure: Failure | None = None,
    version: str = "1.32",
    operators: Mapping[str, Mapping[str, int]] | None = None,
    unavailable: Mapping[str, str] | None = None,
) -> ArmOutcome:
    return ArmOutcome(
        checks=(),
        load_ns=(),
        first_inference_ns=(),
        io_ns=(),
        memory_bytes={},
        conditions={},
        accelerator_used="",
        runtime_version=version,
        runtime_package="",
        unavailable=unavailable or {},
        inputs=(),
        outputs=(),
        sample_count=0,
        evaluation_outputs=None,
        evaluation_failure=None,
        failure=failure,
        operators=operators or {},
    )


def answer(said: ArmOutcome, accelerator: str = "cpu") -> Support:
    return support_of("pi5", Answer(request(accelerator), said))


def test_all_on_the_accelerator_is_supported_whatever_stands_in_brackets() -> None:
    found = answer(outcome(operators={"cpu (XNNPACK)": {"ADD": 2}, "cpu (built-in)": {"X": 1}}))
    assert found.outcome == "supported"
    assert support_lines(found) == []


def test_what_falls_back_makes_it_partly_and_says_what_to_do() -> None:
    places = {"openvino": {"Conv": 9}, "cpu": {"TopK": 1}}
    found = answer(outcome(operators=places), "openvino")
    assert found.outcome == "partly"
    assert "replace those operators" in support_lines(found)[-1]


def test_a_model_that_does_not_load_is_told_from_one_that_does_not_run() -> None:
    refused = answer(outcome(Failure("model", "a:B(1) is not a registered function/op"), ""))
    broken = answer(outcome(Failure("model", "shape mismatch at run"), "1.32"))
    assert (refused.outcome, refused.unsupported) == ("refused", ("a:B",))
    assert broken.outcome == "does not run"
    assert support_lines(refused)[0] == "m.onnx on pi5: onnxruntime lacks a:B"


def test_where_the_runtime_does_not_tell_the_reason_is_kept() -> None:
    found = answer(outcome(unavailable={"operators": "it tells nothing"}))
    assert (found.outcome, found.operators_unavailable) == ("supported", "it tells nothing")


def test_what_is_no_fault_of_the_model_is_no_refusal() -> None:
    memory = answer(outcome(Failure("resources", "out of memory"), ""))
    driver = answer(outcome(Failure("device", "cuda cannot be set up here: no driver"), ""))
    assert memory.outcome == "failed"
    assert driver.outcome == "absent"


def test_an_absent_accelerator_is_refused_with_what_is_missing() -> None:
    missing = {"tensorrt": "built without it"}
    runtime = RuntimeInfo("onnxruntime", "1", "o", ("onnx",), ("cpu",), "", missing)
    absent = why_not(request("tensorrt"), runtime)
    unknown = why_not(request("abacus"), runtime)
    assert absent is not None
    assert unknown is not None
    assert absent.message == "tensorrt cannot be used here: built without it"
    assert "no accelerator abacus" in unknown.message
    assert support_of("d", Answer(request("tensorrt"), absent=absent)).outcome == "absent"


def test_the_exit_code_is_that_of_the_worst() -> None:
    supported = answer(outcome())
    refused = answer(outcome(Failure("model", "no"), ""))
    unasked = support_of("d", Answer(request(), failure=Failure("device", "no agent answers")))
    assert support_exit_code([supported]) == 0
    assert support_exit_code([supported, refused]) == 1
    assert support_exit_code([refused, unasked, supported]) == 3
