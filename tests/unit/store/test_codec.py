"""Documents that older versions stored."""

import json

from trimtab.records import ModelFacts, Origin, SourceFile, StepData, Variant
from trimtab.store.codec import plain, variant_from


def test_variant_stored_before_there_were_layers_is_read() -> None:
    variant = Variant("int8", "onnx", ({"use": "quantize"},), ("quantized",), None)
    document = plain(variant)
    del document["layers"]
    assert variant_from(document) == variant


ORIGIN = Origin(
    folder="/a project",
    sources=(
        SourceFile("task.py", "ab" * 32, "task"),
        SourceFile("../data/eval.npz", "cd" * 32, "eval"),
    ),
    seed=7,
    versions={"trimtab": "1.0", "torch": "2.0"},
    python="3.11.1",
    machine="Linux x86_64",
    data=(StepData("quantize", "ef" * 32),),
    model_fingerprint="01" * 32,
    opset=17,
    facts=ModelFacts(122, None, 0.25, {"macs": "it does not run"}, "file"),
)


def test_an_origin_comes_back_from_json() -> None:
    variant = Variant("int8", "onnx", ({"use": "quantize"},), ("quantized",), None, origin=ORIGIN)
    assert variant_from(json.loads(json.dumps(plain(variant)))) == variant


def test_variant_stored_before_there_were_origins_is_read() -> None:
    variant = Variant("int8", "onnx", ({"use": "quantize"},), ("quantized",), None)
    document = plain(variant)
    del document["origin"]
    assert variant_from(document) == variant
