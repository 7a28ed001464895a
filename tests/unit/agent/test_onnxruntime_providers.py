"""What ONNX Runtime is asked with; a fake library plays what cannot be had here."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trimtab_agent.runtimes.base import AcceleratorMissing, ModelRefused, RuntimeOptions
from trimtab_agent.runtimes.onnxruntime import OnnxRuntime
from trimtab_agent.runtimes.onnxruntime_providers import PROVIDERS, provider_list

CPU = "CPUExecutionProvider"


def asked(accelerator: str, options: dict[str, str], cache: Path | None = None) -> list[Any]:
    return list(
        provider_list(
            RuntimeOptions(
                accelerator=accelerator, thread_count=3, options=options, cache_folder=cache
            )
        )
    )


@pytest.mark.parametrize(
    ("accelerator", "options", "told"),
    [
        (
            "cuda",
            {"device_id": "1", "cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"},
            {"device_id": "1", "cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"},
        ),
        ("xnnpack", {}, {"intra_op_num_threads": "3"}),
        ("openvino", {}, {"num_of_threads": "3"}),
        (
            "openvino",
            {"device_type": "GPU", "precision": "FP16"},
            {"device_type": "GPU", "precision": "FP16"},
        ),
        ("qnn", {}, {"backend_path": "libQnnHtp.so"}),
        (
            "qnn",
            {"backend": "cpu", "htp_performance_mode": "burst"},
            {"backend_path": "libQnnCpu.so", "htp_performance_mode": "burst"},
        ),
        (
            "coreml",
            {"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndNeuralEngine"},
            {"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndNeuralEngine"},
        ),
        ("acl", {"enable_fast_math": "1"}, {"enable_fast_math": "true"}),
        ("nnapi", {}, {}),
        ("directml", {"device_filter": "npu"}, {"device_filter": "npu"}),
        ("migraphx", {"migraphx_fp16_enable": "1"}, {"migraphx_fp16_enable": "True"}),
    ],
)
def test_each_provider_gets_its_own_options_and_the_cpu_behind_it(
    accelerator: str, options: dict[str, str], told: dict[str, str]
) -> None:
    assert asked(accelerator, options) == [(PROVIDERS[accelerator].name, told), CPU]


def test_tensorrt_keeps_its_engines_in_the_agents_folder_and_leaves_the_rest_to_cuda(
    tmp_path: Path,
) -> None:
    options = {
        "device_id": "0",
        "trt_fp16_enable": "1",
        "trt_int8_enable": "0",
        "trt_engine_cache_enable": "1",
        "trt_timing_cache_enable": "1",
        "allow_spinning": "0",
    }
    folder = str(tmp_path / "onnxruntime-tensorrt")
    assert asked("tensorrt", options, tmp_path) == [
        (
            "TensorrtExecutionProvider",
            {
                "device_id": "0",
                "trt_fp16_enable": "True",
                "trt_int8_enable": "False",
                "trt_engine_cache_enable": "True",
                "trt_timing_cache_enable": "True",
                "trt_engine_cache_path": folder,
                "trt_timing_cache_path": folder,
            },
        ),
        ("CUDAExecutionProvider", {"device_id": "0"}),
        CPU,
    ]
    assert Path(folder).is_dir()


def test_a_cache_without_a_folder_for_it_is_refused() -> None:
    with pytest.raises(ModelRefused, match="no folder"):
        asked("openvino", {"cache_enable": "1"})


def test_no_cpu_stands_behind_where_falling_back_is_forbidden() -> None:
    forbidden = {"disable_cpu_ep_fallback": "1"}
    assert asked("xnnpack", forbidden) == [
        ("XnnpackExecutionProvider", {"intra_op_num_threads": "3"})
    ]


def test_no_option_of_any_provider_names_a_file() -> None:
    for options in OnnxRuntime.accelerator_options.values():
        assert not [name for name in options if "path" in name.lower() or "dir" in name.lower()]


class FakeSession:
    def __init__(self, providers: list[str], assigned: dict[str, list[str]]) -> None:
        self._providers, self._assigned = providers, assigned

    def get_providers(self) -> list[str]:
        return self._providers

    def get_inputs(self) -> list[Any]:
        return []

    get_outputs = get_overridable_initializers = get_inputs

    def get_provider_graph_assignment_info(self) -> list[Any]:
        def nodes(types: list[str]) -> list[Any]:
            return [SimpleNamespace(op_type=kind, name=kind, domain="") for kind in types]

        return [
            SimpleNamespace(ep_name=name, get_nodes=lambda types=types: nodes(types))
            for name, types in self._assigned.items()
        ]


class FakeSettings:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.intra_op_num_threads = 0

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value


class FakeLibrary:
    """An onnxruntime with CUDA, TensorRT and XNNPACK built in, as far as loading goes."""

    __version__ = "9.9.9"
    SessionOptions = FakeSettings

    def __init__(self, session: FakeSession, log: str = "") -> None:
        self.session, self.log = session, log
        self.calls: list[dict[str, Any]] = []
        self.settings: list[FakeSettings] = []

    def set_default_logger_severity(self, severity: int) -> None: ...

    def get_available_providers(self) -> list[str]:
        known = ("tensorrt", "cuda", "xnnpack", "cpu")
        return ["AzureExecutionProvider", *(PROVIDERS[name].name for name in known)]

    def InferenceSession(self, path: str, settings: FakeSettings, **call: Any) -> FakeSession:  # noqa: N802
        os.write(2, self.log.encode())
        self.calls.append(call)
        self.settings.append(settings)
        return self.session


def install(monkeypatch: pytest.MonkeyPatch, library: FakeLibrary) -> OnnxRuntime:
    monkeypatch.setitem(sys.modules, "onnxruntime", library)
    return OnnxRuntime()


def test_what_the_library_has_is_listed_and_what_it_lacks_says_which_package_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    info = install(monkeypatch, FakeLibrary(FakeSession([CPU], {}))).availability()
    assert info.accelerators == ("cpu", "cuda", "tensorrt", "xnnpack")
    assert set(info.absent_accelerators) == set(PROVIDERS) - set(info.accelerators)
    assert "onnxruntime-openvino" in info.absent_accelerators["openvino"]
    assert "built without openvino" in info.absent_accelerators["openvino"]


def test_a_known_accelerator_that_is_absent_is_not_called_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = install(monkeypatch, FakeLibrary(FakeSession([CPU], {})))
    with pytest.raises(AcceleratorMissing, match="onnxruntime-qnn"):
        runtime.load(Path("m.onnx"), RuntimeOptions(accelerator="qnn"))
    with pytest.raises(ModelRefused, match="abacus"):
        runtime.load(Path("m.onnx"), RuntimeOptions(accelerator="abacus"))


def test_a_provider_left_out_for_a_missing_library_is_refused_with_the_librarys_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = (
        "\x1b[1;31m2026-01-01 00:00:00.1 [E:onnxruntime:Default, provider_bridge_ort.cc:2310 "
        "Create] Failed to load library libonnxruntime_providers_cuda.so with error: "
        "libcublasLt.so.12: cannot open shared object file\x1b[m\n"
    )
    runtime = install(monkeypatch, FakeLibrary(FakeSession([CPU], {CPU: ["Conv"]}), log))
    with pytest.raises(AcceleratorMissing) as refused:
        runtime.load(tmp_path / "m.onnx", RuntimeOptions(accelerator="cuda"))
    text = str(refused.value)
    assert text.startswith("cuda cannot be set up here: Failed to load library")
    assert "libcublasLt.so.12: cannot open shared object file" in text
    assert "\x1b" not in text
    assert refused.value.failure_class == "device"


def test_operators_that_fall_back_are_counted_and_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    providers = ["XnnpackExecutionProvider", CPU]
    placed = {"XnnpackExecutionProvider": ["Conv", "Conv"], CPU: ["Softmax"]}
    library = FakeLibrary(FakeSession(providers, placed))
    runtime = install(monkeypatch, library)
    session = runtime.load(tmp_path / "m.onnx", RuntimeOptions("xnnpack", thread_count=2))
    assert session.accelerator_used == "xnnpack"
    assert session.placement() == {"xnnpack": {"Conv": 2}, "cpu": {"Softmax": 1}}
    assert session.warnings == ("1 of 3 operators run elsewhere than on xnnpack: 1 Softmax",)
    assert library.calls[0]["disable_fallback"] is True
    (settings,) = library.settings
    assert settings.intra_op_num_threads == 1
    assert settings.entries["session.intra_op.allow_spinning"] == "0"


def test_where_nothing_runs_on_it_the_cpu_is_what_was_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = FakeSession(["CUDAExecutionProvider", CPU], {CPU: ["Loop"]})
    session = install(monkeypatch, FakeLibrary(fake)).load(
        tmp_path / "m.onnx", RuntimeOptions("cuda")
    )
    assert session.accelerator_used == "cpu"
    assert session.warnings == ("1 of 1 operators run elsewhere than on cuda: 1 Loop",)


@pytest.mark.parametrize("value", ["0", "6", "-1", "+1", "01", "1.0", "1e3", "", "①", "abc"])
def test_whole_numbers_out_of_their_range_or_form_are_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    runtime = install(monkeypatch, FakeLibrary(FakeSession([CPU], {})))
    name = "trt_max_partition_iterations" if value == "0" else "trt_builder_optimization_level"
    with pytest.raises(ModelRefused, match=r"whole numbers from|no option"):
        runtime.load(Path("m"), RuntimeOptions("tensorrt", options={name: value}))


def test_an_option_of_another_accelerator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = install(monkeypatch, FakeLibrary(FakeSession([CPU], {})))
    with pytest.raises(ModelRefused, match="no option 'trt_fp16_enable' on cuda"):
        runtime.load(Path("m"), RuntimeOptions("cuda", options={"trt_fp16_enable": "1"}))
