"""ONNX Runtime's execution providers: what each is asked with, and which package has it.

Names and values are those of https://onnxruntime.ai/docs/execution-providers/ .
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trimtab_agent.runtimes.base import ModelRefused, RuntimeOptions
from trimtab_agent.runtimes.options import ON_OFF, Values, Whole

CPU = "CPUExecutionProvider"
ONLY_THERE = "disable_cpu_ep_fallback"
_GIB = 1 << 30
_FLAGS = {"0": "False", "1": "True"}
_QNN_PERFORMANCE = (
    "default",
    "burst",
    "balanced",
    "high_performance",
    "high_power_saver",
    "low_balanced",
    "low_power_saver",
    "power_saver",
    "extreme_power_saver",
    "sustained_high_performance",
)


@dataclass(frozen=True)
class Provider:
    """One execution provider.

    ``package``: where it is to be had. ``options``: its own, by ONNX Runtime's names, that a user
    may set. ``flags``: those of them that it reads as True and False only. ``caches``: switch ->
    options that name a folder. ``own_switches``: switches of ours, which it is not told.
    ``threads``: the option with its thread count; ``one_thread``: it has a pool of its own, beside
    which the session's is to be one thread that does not spin.
    """

    name: str
    accelerator: str
    package: str
    options: Mapping[str, Values] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    caches: Mapping[str, str] = field(default_factory=dict)
    own_switches: frozenset[str] = frozenset()
    threads: str = ""
    one_thread: bool = False


_CUDA = Provider(
    "CUDAExecutionProvider",
    "cuda",
    "the package onnxruntime-gpu, in place of onnxruntime, has it",
    {
        "device_id": Whole(0, 15),
        "gpu_mem_limit": Whole(1 << 20, 1024 * _GIB),
        "arena_extend_strategy": ("kNextPowerOfTwo", "kSameAsRequested"),
        "cudnn_conv_algo_search": ("EXHAUSTIVE", "HEURISTIC", "DEFAULT"),
        "cudnn_conv_use_max_workspace": ON_OFF,
        "do_copy_in_default_stream": ON_OFF,
        "use_tf32": ON_OFF,
        "prefer_nhwc": ON_OFF,
    },
)
_TENSORRT = Provider(
    "TensorrtExecutionProvider",
    "tensorrt",
    "the package onnxruntime-gpu, in place of onnxruntime, has it, and needs TensorRT beside it",
    {
        "device_id": Whole(0, 15),
        "trt_fp16_enable": ON_OFF,
        "trt_bf16_enable": ON_OFF,
        "trt_int8_enable": ON_OFF,
        "trt_engine_cache_enable": ON_OFF,
        "trt_timing_cache_enable": ON_OFF,
        "trt_builder_optimization_level": Whole(0, 5),
        "trt_max_workspace_size": Whole(1 << 20, 1024 * _GIB),
        "trt_max_partition_iterations": Whole(1, 10_000),
        "trt_min_subgraph_size": Whole(1, 10_000),
        "trt_layer_norm_fp32_fallback": ON_OFF,
        "trt_dla_enable": ON_OFF,
        "trt_dla_core": Whole(0, 7),
    },
    flags=frozenset(
        {
            "trt_fp16_enable",
            "trt_bf16_enable",
            "trt_int8_enable",
            "trt_engine_cache_enable",
            "trt_timing_cache_enable",
            "trt_layer_norm_fp32_fallback",
            "trt_dla_enable",
        }
    ),
    caches={
        "trt_engine_cache_enable": "trt_engine_cache_path",
        "trt_timing_cache_enable": "trt_timing_cache_path",
    },
)
_OPENVINO = Provider(
    "OpenVINOExecutionProvider",
    "openvino",
    "the package onnxruntime-openvino, in place of onnxruntime, has it",
    {
        "device_type": ("CPU", "GPU", "GPU.0", "GPU.1", "NPU"),
        "precision": ("FP32", "FP16", "ACCURACY"),
        "num_streams": Whole(1, 64),
        "disable_dynamic_shapes": ON_OFF,
        "cache_enable": ON_OFF,
    },
    flags=frozenset({"disable_dynamic_shapes"}),
    caches={"cache_enable": "cache_dir"},
    own_switches=frozenset({"cache_enable"}),
    threads="num_of_threads",
)
_COREML = Provider(
    "CoreMLExecutionProvider",
    "coreml",
    "the package onnxruntime for macOS has it",
    {
        "ModelFormat": ("NeuralNetwork", "MLProgram"),
        "MLComputeUnits": ("CPUOnly", "CPUAndNeuralEngine", "CPUAndGPU", "ALL"),
        "RequireStaticInputShapes": ON_OFF,
        "EnableOnSubgraphs": ON_OFF,
        "SpecializationStrategy": ("Default", "FastPrediction"),
        "AllowLowPrecisionAccumulationOnGPU": ON_OFF,
        "cache_enable": ON_OFF,
    },
    caches={"cache_enable": "ModelCacheDirectory"},
    own_switches=frozenset({"cache_enable"}),
)
_QNN = Provider(
    "QNNExecutionProvider",
    "qnn",
    "the package onnxruntime-qnn, in place of onnxruntime, has it, on Qualcomm's processors",
    {
        "backend": ("htp", "gpu", "cpu"),
        "htp_performance_mode": _QNN_PERFORMANCE,
        "htp_graph_finalization_optimization_mode": ("0", "1", "2", "3"),
        "enable_htp_fp16_precision": ON_OFF,
        "rpc_control_latency": Whole(0, 10_000),
        "vtcm_mb": Whole(0, 64),
    },
    own_switches=frozenset({"backend"}),
)
_XNNPACK = Provider(
    "XnnpackExecutionProvider",
    "xnnpack",
    "no package for Linux has it: build ONNX Runtime with --use_xnnpack",
    threads="intra_op_num_threads",
    one_thread=True,
)
_ACL = Provider(
    "ACLExecutionProvider",
    "acl",
    "no package has it: build ONNX Runtime on Arm with --use_acl",
    {"enable_fast_math": ON_OFF},
    flags=frozenset({"enable_fast_math"}),
)
_NNAPI = Provider(
    "NnapiExecutionProvider", "nnapi", "ONNX Runtime for Android has it, no Python package does"
)
_DIRECTML = Provider(
    "DmlExecutionProvider",
    "directml",
    "the package onnxruntime-directml, in place of onnxruntime, has it, on Windows",
    {
        "device_id": Whole(0, 15),
        "performance_preference": ("default", "high_performance", "minimum_power"),
        "device_filter": ("any", "gpu", "npu"),
        "disable_metacommands": ON_OFF,
    },
    flags=frozenset({"disable_metacommands"}),
)
_MIGRAPHX = Provider(
    "MIGraphXExecutionProvider",
    "migraphx",
    "AMD's package onnxruntime-migraphx, in place of onnxruntime, has it",
    {
        "device_id": Whole(0, 15),
        "migraphx_fp16_enable": ON_OFF,
        "migraphx_exhaustive_tune": ON_OFF,
    },
    flags=frozenset({"migraphx_fp16_enable", "migraphx_exhaustive_tune"}),
)
_PROVIDERS = (
    Provider(CPU, "cpu", "every package has it"),
    *(_CUDA, _TENSORRT, _OPENVINO, _COREML, _NNAPI, _QNN, _XNNPACK, _DIRECTML, _MIGRAPHX, _ACL),
)
# AzureExecutionProvider is no accelerator: it sends the inputs to a server.
PROVIDERS: Mapping[str, Provider] = {each.accelerator: each for each in _PROVIDERS}
ACCELERATORS: Mapping[str, str] = {each.name: each.accelerator for each in _PROVIDERS}
OPTIONS: Mapping[str, Mapping[str, Values]] = {
    each.accelerator: {ONLY_THERE: ON_OFF, **each.options}
    for each in _PROVIDERS
    if each.name != CPU
}


def provider_list(options: RuntimeOptions) -> list[str | tuple[str, dict[str, str]]]:
    """What ``InferenceSession(providers=...)`` is given, the cpu behind what was asked for.

    TensorRT has CUDA in between, as its documents ask: what it leaves still runs on the GPU. ONNX
    Runtime takes no cpu in the list of a session that must not fall back to it.
    """
    provider = PROVIDERS[options.accelerator]
    if provider.name == CPU:
        return [CPU]
    asked = provider_options(provider, options)
    between: list[str | tuple[str, dict[str, str]]] = []
    if provider is _TENSORRT:
        same = {key: value for key, value in asked.items() if key == "device_id"}
        between.append((_CUDA.name, same))
    behind = [] if options.options.get(ONLY_THERE) == "1" else [CPU]
    return [(provider.name, asked), *between, *behind]


def provider_options(provider: Provider, options: RuntimeOptions) -> dict[str, str]:
    """In ONNX Runtime's own words. Options must have passed the allow-list."""
    chosen = {key: value for key, value in options.options.items() if key in provider.options}
    told = {
        key: _flag(provider, value) if key in provider.flags else value
        for key, value in chosen.items()
        if key not in provider.own_switches
    }
    for switch, folder in provider.caches.items():
        if chosen.get(switch) == "1":
            told[folder] = str(_cache(provider, options.cache_folder))
    if provider is _QNN:
        told["backend_path"] = qnn_library(chosen.get("backend", "htp"))
    if provider.threads and chosen.get("device_type", "CPU") == "CPU":
        told[provider.threads] = str(options.thread_count)
    return told


def qnn_library(backend: str) -> str:
    name = f"Qnn{backend.capitalize()}"
    return f"{name}.dll" if sys.platform == "win32" else f"lib{name}.so"


def _flag(provider: Provider, value: str) -> str:
    text = _FLAGS[value]
    return text.lower() if provider is _ACL else text


def _cache(provider: Provider, folder: Path | None) -> Path:
    """Raises ModelRefused where there is none: no file is written to a folder of chance."""
    if folder is None:
        raise ModelRefused("a cache was asked for, and the agent gave no folder for it")
    own = folder / f"onnxruntime-{provider.accelerator}"
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    return own
