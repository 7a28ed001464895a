"""Model files as tasks: what can be done to a file, and a line where it cannot."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from trimtab.compress.passes import load_pass
from trimtab.export import build_variants, load_exporter
from trimtab.project import PassStep, VariantPlan
from trimtab.records import UserError, Variant
from trimtab.task import FileTask, load_file_task

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Shape = Sequence[int | str] | None
WEIGHTS = np.random.default_rng(0).standard_normal((16, 16), np.float32)


def features(count: int, width: int = 16) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, width), np.float32)


@pytest.fixture
def write_onnx(tmp_path: Path) -> Callable[..., Path]:
    """A model of ``nodes`` (operator, inputs, output), with WEIGHTS as its initializer w."""

    def write(
        inputs: dict[str, tuple[int, Shape]],
        nodes: Sequence[Any],
        output: Shape = ("N", 16),
        name: str = "model.onnx",
        *,
        opset: int = 17,
        inputs_too: bool = False,
        **saving: Any,
    ) -> Path:
        made = [
            node
            if isinstance(node, onnx.NodeProto)
            else helper.make_node(node[0], node[1], [node[2]])
            for node in nodes
        ]
        values = [helper.make_tensor_value_info(key, *each) for key, each in inputs.items()]
        if inputs_too:
            values.append(helper.make_tensor_value_info("w", FLOAT, [16, 16]))
        held = {"w": WEIGHTS, "embedding": 2 * WEIGHTS, "zero": np.zeros((), np.float32)}
        used = {name for node in made for name in node.input} | {"w"}
        initializers = [numpy_helper.from_array(held[name], name) for name in held if name in used]
        outputs = [helper.make_tensor_value_info("y", FLOAT, output)]
        graph = helper.make_graph(made, "graph", values, outputs, initializers)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("acme", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=3 if inputs_too else 8)
        onnx.save(model, tmp_path / name, **saving)
        return tmp_path / name

    return write


LINEAR = (("MatMul", ["x", "w"], "a"), ("Relu", ["a"], "y"))
OPEN: dict[str, tuple[int, Shape]] = {"x": (FLOAT, ("N", 16))}


def quantize(name: str, scheme: str, model_format: str = "onnx", **settings: Any) -> VariantPlan:
    config = load_pass("quantize").config.model_validate({"scheme": scheme, **settings})
    step = PassStep("quantize", config.model_dump(mode="json", exclude_none=True))
    return VariantPlan(name, (model_format,), (step,))


def every_scheme(model_format: str = "onnx") -> list[VariantPlan]:
    schemes = ("fp16", "dynamic", "static")
    return [quantize(each, each, model_format, **_samples(each)) for each in schemes]


def _samples(scheme: str) -> dict[str, int]:
    return {"samples": 8} if scheme == "static" else {}


def build(
    path: Path, plans: Sequence[VariantPlan], folder: Path, **calibration: Any
) -> dict[str, Variant]:
    data = folder / "calib.npz"
    if calibration:
        np.savez(data, **calibration)
    task = load_file_task(path, 0, None, data if calibration else None)
    return {each.name: each for each in build_variants(task, plans, folder / "out")}


def reasons(variants: dict[str, Variant]) -> dict[str, str]:
    return {
        name: each.failure.message for name, each in variants.items() if each.failure is not None
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("inputs", "calibration"),
    [
        (OPEN, {"x": features(8)}),
        ({"x": (FLOAT, (4, 16))}, {"x": features(8)}),
        ({"x": (FLOAT, ("N", 16)), "t": (FLOAT, ())}, {"x": features(8), "t": np.float32(2)}),
        ({"x": (FLOAT, (1, 16)), "h": (FLOAT, (2, 16))}, {"x": features(8), "h": features(16)}),
    ],
    ids=["open-batch", "fixed-batch", "0-d-input", "no-common-batch"],
)
def test_every_scheme_takes_every_kind_of_input(
    write_onnx: Callable[..., Path], tmp_path: Path, inputs: Any, calibration: Any
) -> None:
    nodes = [("MatMul", ["x", "w"], "a"), ("Relu", ["a"], "y")]
    extra = next((name for name in inputs if name != "x"), None)
    if extra:
        nodes = [("MatMul", ["x", "w"], "a"), ("Add", ["a", extra], "y")]
    path = write_onnx(inputs, nodes, None)
    made = build(path, every_scheme(), tmp_path, **calibration)
    assert reasons(made) == {}
    assert len({each.artifact.sha256 for each in made.values() if each.artifact}) == 4
    float_artifact = made["float"].artifact
    assert float_artifact is not None
    assert float_artifact.sha256 == sha256(path)
    for name in ("fp16", "dynamic", "static"):
        assert "differ from the float file model.onnx's by at most" in made[name].lineage[-1]
        assert made[name].lineage[0] == "model.onnx as it is, byte for byte"


def test_integer_inputs_beside_masks_with_an_open_length(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_onnx(
        {"ids": (INT64, ("N", "L")), "mask": (FLOAT, ("N", "L", 1))},
        [
            ("Gather", ["embedding", "ids"], "a"),
            ("MatMul", ["a", "w"], "b"),
            ("Mul", ["b", "mask"], "y"),
        ],
        ("N", "L", 16),
    )
    ids = np.arange(40).reshape(8, 5) % 16
    mask = np.ones((8, 5, 1), np.float32)
    assert reasons(build(path, every_scheme(), tmp_path, ids=ids, mask=mask)) == {}
    with pytest.raises(UserError, match="input ids has open dimensions besides the batch"):
        load_file_task(path, 0, None, None)
    with pytest.raises(UserError, match="input ids is float32, the model takes int64"):
        build(path, [], tmp_path, ids=ids.astype(np.float32), mask=mask)


def test_external_data_goes_with_the_float_file_and_into_the_others(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_onnx(
        OPEN, LINEAR, save_as_external_data=True, location="weights.data", size_threshold=0
    )
    optimized = VariantPlan("optimized", ("onnx",), (PassStep("optimize", {"level": "basic"}),))
    made = build(path, [*every_scheme(), optimized], tmp_path, x=features(8))
    assert reasons(made) == {}
    names = {
        name: [file.name for file in each.artifact.files] if each.artifact else []
        for name, each in made.items()
    }
    assert names.pop("float") == ["float.onnx", "weights.data"]
    assert all(len(each) == 1 for each in names.values())
    assert sha256(tmp_path / "out" / "weights.data") == sha256(tmp_path / "weights.data")


def test_other_external_data_is_another_entry_of_the_cache(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    saving = {"save_as_external_data": True, "location": "w.data", "size_threshold": 0}
    path = write_onnx(OPEN, LINEAR, **saving)
    first = build(path, [quantize("half", "fp16")], tmp_path)["half"].artifact
    data = tmp_path / "w.data"
    data.write_bytes((2 * np.frombuffer(data.read_bytes(), np.float32)).tobytes())
    second = build(path, [quantize("half", "fp16")], tmp_path)["half"].artifact
    assert first is not None
    assert second is not None
    assert first.sha256 != second.sha256


def test_initializers_that_are_inputs_too_are_no_inputs(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_onnx(OPEN, LINEAR, opset=9, inputs_too=True)
    assert FileTask(path).input_names == ("x",)
    assert reasons(build(path, every_scheme(), tmp_path, x=features(8))) == {}


def test_control_flow_in_a_file_is_kept(write_onnx: Callable[..., Path], tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    positive = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["p"])], "positive", [], [value("p", FLOAT, None)]
    )
    negative = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["n"])], "negative", [], [value("n", FLOAT, None)]
    )
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        ("Greater", ["s", "zero"], "c"),
        helper.make_node("If", ["c"], ["r"], then_branch=positive, else_branch=negative),
        ("MatMul", ["r", "w"], "y"),
    ]
    half = quantize("half", "fp16")
    made = build(write_onnx(OPEN, nodes), [half], tmp_path, x=features(8))
    assert reasons(made) == {}


def test_operator_that_cannot_be_quantized_leaves_the_others_alone(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_onnx(OPEN, [("Sin", ["x"], "y")])
    optimized = VariantPlan("optimized", ("onnx",), (PassStep("optimize", {"level": "basic"}),))
    made = build(path, [*every_scheme(), optimized], tmp_path, x=features(8))
    refused = reasons(made)
    assert set(refused) == {"fp16", "dynamic", "static"} or set(refused) == {"dynamic", "static"}
    assert "nothing was quantized" in refused["dynamic"]
    assert "nothing was quantized" in refused["static"]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([helper.make_node("Warp", ["x"], ["y"], domain="acme")], "acme:Warp"),
        ([("Add", ["x", "gone"], "y")], "Node input 'gone' is not a graph input"),
        ([("Relux", ["x"], "y")], "No Op registered for Relux"),
    ],
    ids=["custom-operator", "torn-graph", "unknown-operator"],
)
def test_file_that_its_runtime_does_not_load_is_one_line(
    write_onnx: Callable[..., Path], nodes: Any, said: str
) -> None:
    path = write_onnx(OPEN, nodes)
    with pytest.raises(UserError) as caught:
        load_file_task(path, 0, None, None)
    assert caught.value.message.startswith(f"{path}: ONNX Runtime does not load it: ")
    assert said in caught.value.message
    assert "ONNXRuntimeError" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_cut_onnx_file_is_one_line(write_onnx: Callable[..., Path], share: float) -> None:
    path = write_onnx(OPEN, LINEAR)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"ONNX Runtime does not load it: \w"):
        load_file_task(path, 0, None, None)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_cut_tflite_file_is_one_line(shared_data: Path, tmp_path: Path, share: float) -> None:
    content = (shared_data / "models" / "resnet8_fp32.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"LiteRT does not load it: \w"):
        load_file_task(path, 0, None, None)


@pytest.mark.parametrize("name", ["resnet8_fp32", "mobilenet_v1_025_224_fp32", "ad01_fp32"])
def test_old_tflite_files_take_every_scheme(shared_data: Path, tmp_path: Path, name: str) -> None:
    """They have no signature, and operator codes where converters wrote them years ago."""
    path = shared_data / "models" / f"{name}.tflite"
    (each,) = FileTask(path).inputs
    images = np.random.default_rng(0).random((8, *each.shape[1:]), np.float32)
    made = build(path, every_scheme("tflite"), tmp_path, images=images)
    assert reasons(made) == {}
    float_artifact = made["float"].artifact
    assert float_artifact is not None
    assert float_artifact.sha256 == sha256(path)
    for scheme, share in (("fp16", 0.55), ("dynamic", 0.35), ("static", 0.35)):
        artifact = made[scheme].artifact
        assert artifact is not None
        assert artifact.size_bytes < share * float_artifact.size_bytes


@pytest.mark.parametrize("name", ["resnet8_int8.tflite", "mobilenet_v1_025_224_uint8.tflite"])
def test_quantized_file_is_not_quantized_again(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    path = shared_data / "models" / name
    made = build(path, [quantize("half", "fp16", "tflite")], tmp_path)
    assert made["float"].artifact is not None
    assert reasons(made) == {
        "half": f"{name} is quantized already; quantize starts from a float file: name that one"
    }


def test_quantized_onnx_file_is_not_quantized_again_but_may_be_optimized(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    calibration = {"x": features(8)}
    first = build(write_onnx(OPEN, LINEAR), every_scheme(), tmp_path, **calibration)
    assert first["static"].artifact is not None
    path = tmp_path / "int8.onnx"
    path.write_bytes(first["static"].artifact.files[0].path.read_bytes())
    optimized = VariantPlan("optimized", ("onnx",), (PassStep("optimize", {"level": "basic"}),))
    made = build(path, [*every_scheme(), optimized], tmp_path, **calibration)
    assert set(reasons(made)) == {"fp16", "dynamic", "static"}
    assert "int8.onnx is quantized already" in reasons(made)["static"]
    kept = made["optimized"].artifact
    assert kept is not None
    weights = onnx.load(kept.files[0].path).graph.initializer
    assert TensorProto.INT8 in {each.data_type for each in weights}


def test_static_without_calibration_data_says_what_to_give(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_onnx(OPEN, LINEAR)
    evaluation = tmp_path / "test.npz"
    np.savez(evaluation, x=features(8), labels=np.arange(8))
    task = load_file_task(path, 0, evaluation, None)
    made = {each.name: each for each in build_variants(task, every_scheme(), tmp_path / "out")}
    assert reasons(made) == {
        "static": 'quantize needs calibration data: give calibration = "FILE.npz" in [task], '
        "samples that are not those of the evaluation set"
    }


def test_other_format_and_passes_on_the_model_say_what_they_need(
    write_onnx: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab import plugins
    from trimtab.compress.passes import ModelPass, PassConfig

    class DistillPass(ModelPass[PassConfig]):
        name = "distill"
        config = PassConfig

        def apply(self, model: Any, config: PassConfig, context: Any) -> Any:
            raise AssertionError

    real = plugins.load_plugin

    def with_distill(group: str, name: str) -> plugins.Plugin:
        return plugins.Plugin(name, DistillPass) if name == "distill" else real(group, name)

    monkeypatch.setattr("trimtab.compress.passes.registry.load_plugin", with_distill)
    plans = [
        quantize("half", "fp16", "tflite"),
        VariantPlan("distilled", ("onnx",), (PassStep("distill", {}),)),
    ]
    monkeypatch.setattr(
        "trimtab.compress.passes.registry.load_plugins",
        lambda group: {"distill": plugins.Plugin("distill", DistillPass)},
    )
    said: list[str] = []
    task = FileTask(write_onnx(OPEN, LINEAR))
    built = build_variants(task, plans, tmp_path / "out", said.append)
    made = {each.name: each for each in built}
    needs = 'the model itself, not a file of it: give module = "task.py"'
    assert f"not for a file: distill; each needs {needs}" in said
    assert made["float"].format == "onnx"
    assert reasons(made) == {
        "half": "model.onnx can be compressed as onnx; tflite needs the model itself, not a file "
        'of it: give module = "task.py"',
        "distilled": 'distill needs the model itself, not a file of it: give module = "task.py"',
    }


def test_data_of_another_shape_or_too_few_of_them_are_one_line(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_onnx({"x": (FLOAT, (4, 16))}, LINEAR, None)
    with pytest.raises(UserError, match=r"calib\.npz: 3 samples for input x, .* takes 4 at a time"):
        build(path, [], tmp_path, x=features(3))
    with pytest.raises(UserError, match="wants samples of shape 16, the file holds 8x15"):
        build(path, [], tmp_path, x=features(8, 15))
    with pytest.raises(UserError, match=r"it holds a, z; model\.onnx takes x"):
        build(path, [], tmp_path, a=features(8), z=features(8))


def test_optimized_file_computes_the_same_with_fewer_operators(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    nodes = [
        ("Identity", ["x"], "b"),
        ("MatMul", ["b", "w"], "c"),
        ("Identity", ["c"], "d"),
        ("Relu", ["d"], "y"),
    ]
    optimized = VariantPlan("optimized", ("onnx",), (PassStep("optimize", {"level": "basic"}),))
    made = build(write_onnx(OPEN, nodes), [optimized], tmp_path, x=features(8))
    assert "4 operators became 2" in made["optimized"].lineage[2]
    artifact = made["optimized"].artifact
    assert artifact is not None
    inputs = {"x": features(8)}
    run = load_exporter("onnx").run
    before = run(tmp_path / "model.onnx", inputs)[0]
    np.testing.assert_allclose(run(artifact.files[0].path, inputs)[0], before, rtol=1e-6)
    domains = {each.domain for each in onnx.load(artifact.files[0].path).opset_import}
    assert domains == {""}


def test_optimizing_tflite_says_why_not(shared_data: Path, tmp_path: Path) -> None:
    optimized = VariantPlan("optimized", ("tflite",), (PassStep("optimize", {"level": "basic"}),))
    made = build(shared_data / "models" / "resnet8_fp32.tflite", [optimized], tmp_path)
    assert "optimize works on onnx" in reasons(made)["optimized"]


def test_files_are_compressed_where_torch_is_not_installed(
    write_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_onnx(OPEN, LINEAR)
    (tmp_path / "trimtab.toml").write_text(
        f'[task]\nmodel = "{path.name}"\ncalibration = "calib.npz"\n'
        '[[variant]]\nname = "static"\npasses = [{ use = "quantize", scheme = "static" }]\n'
    )
    np.savez(tmp_path / "calib.npz", x=features(8))
    code = (
        "import sys\nfrom pathlib import Path\n"
        "sys.modules['torch'] = None\n"
        "from trimtab.campaign.project_run import compress_project\n"
        "made = compress_project(Path('trimtab.toml'), print)\n"
        "assert [each.failure for each in made] == [None, None], made\n"
    )
    environment = {**os.environ, "TRIMTAB_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
