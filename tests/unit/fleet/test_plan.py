from pathlib import Path

from told_devices import told
from trimtab.campaign.plan import Candidate, Choices, plan_arms
from trimtab.fleet.jobs import DeviceInfo, RuntimeInfo
from trimtab.records import Artifact, ArtifactFile, MeasurementSettings
from trimtab_protos.digest import digest_bytes

BASE = MeasurementSettings(runtime="")


def artifact(name: str) -> Artifact:
    file = ArtifactFile(name, Path(name), digest_bytes(name.encode()))
    return Artifact(name.rpartition(".")[2], (file,), 1)


def device(*runtimes: RuntimeInfo) -> DeviceInfo:
    return told(device_id="d", display_name="d", machine_arch="x86_64", runtimes=runtimes)


def runtime(name: str, model_format: str, reason: str = "") -> RuntimeInfo:
    return RuntimeInfo(name, "1", name, (model_format,), ("cpu",), reason)


BOTH = device(runtime("onnxruntime", "onnx"), runtime("litert", "tflite"))


def test_each_format_goes_to_the_runtime_that_reads_it() -> None:
    candidates = [Candidate(artifact("m.onnx")), Candidate(artifact("m.tflite"))]

    arms = plan_arms(candidates, Choices(BASE), BOTH)

    assert [(arm.name, arm.settings.runtime) for arm in arms] == [
        ("m.onnx", "onnxruntime"),
        ("m.tflite", "litert"),
    ]


def test_threads_and_runtimes_multiply_and_are_told_apart() -> None:
    choices = Choices(BASE, runtimes=("onnxruntime", "null"), threads=(1, 2))
    takes_any_file = RuntimeInfo("null", "1", "trimtab_agent", (), ("cpu",), "")
    info = device(runtime("onnxruntime", "onnx"), takes_any_file)

    names = [arm.name for arm in plan_arms([Candidate(artifact("m.onnx"))], choices, info)]

    assert names == [
        "m.onnx onnxruntime 1t",
        "m.onnx onnxruntime 2t",
        "m.onnx null 1t",
        "m.onnx null 2t",
    ]


def test_two_files_of_one_name_are_two_arms() -> None:
    twice = [Candidate(artifact("m.onnx")), Candidate(artifact("m.onnx"))]

    assert [arm.name for arm in plan_arms(twice, Choices(BASE), BOTH)] == ["m.onnx", "m.onnx (2)"]


def test_a_runtime_that_was_asked_for_is_not_replaced_by_another() -> None:
    (arm,) = plan_arms([Candidate(artifact("m.onnx"))], Choices(BASE, ("litert",)), BOTH)

    assert arm.settings.runtime == "litert"


def test_in_a_project_a_format_that_nothing_asked_reads_goes_to_the_preferred_runtime() -> None:
    choices = Choices(BASE, runtimes=("litert",), or_preferred=True)

    (arm,) = plan_arms([Candidate(artifact("m.onnx"))], choices, BOTH)

    assert arm.settings.runtime == "onnxruntime"


def test_a_format_that_nothing_here_reads_still_gets_an_arm_that_can_say_why_not() -> None:
    choices = Choices(BASE, runtimes=("litert",), or_preferred=True)

    (arm,) = plan_arms([Candidate(artifact("m.pte"))], choices, BOTH)

    assert arm.settings.runtime == "litert"


def test_a_missing_runtime_still_gets_an_arm_that_can_say_why_not() -> None:
    info = device(runtime("onnxruntime", "onnx", "onnxruntime is not installed"))

    (arm,) = plan_arms([Candidate(artifact("m.onnx"))], Choices(BASE), info)

    assert arm.settings.runtime == "onnxruntime"


def test_runtimes_asked_for_both_formats_make_one_arm_a_file() -> None:
    candidates = [Candidate(artifact("m.onnx")), Candidate(artifact("m.tflite"))]
    choices = Choices(BASE, runtimes=("onnxruntime", "litert"))

    arms = plan_arms(candidates, choices, BOTH)

    assert [(arm.name, arm.settings.runtime) for arm in arms] == [
        ("m.onnx", "onnxruntime"),
        ("m.tflite", "litert"),
    ]


def test_an_option_of_one_runtime_does_not_reach_another() -> None:
    base = MeasurementSettings(runtime="", runtime_options={"litert.xnnpack": "off"})
    candidates = [Candidate(artifact("m.onnx")), Candidate(artifact("m.tflite"))]

    onnx, tflite = plan_arms(candidates, Choices(base), BOTH)

    assert onnx.settings.runtime_options == {}
    assert tflite.settings.runtime_options == {"xnnpack": "off"}
