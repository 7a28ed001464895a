"""The chart of layers, on the page and as plain data."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from trimtab.records import Artifact, LayerChoice, Run, Variant
from trimtab.report.html import render_report
from trimtab.report.json_output import run_json
from trimtab.report.layers_chart import layer_charts

HOSTILE = "<script>alert(1)</script>"
FRAGILE = LayerChoice(HOSTILE, "Conv", "float", "alone in int8: 4.8 dB", 2304, 4.8, 0.271)
STURDY = LayerChoice("fc", "Gemm", "int8", "", 6912, 36.6, 0.0, saved_ms=0.02)


@pytest.fixture
def mixed(make_artifact: Callable[..., Artifact]) -> Variant:
    recipe = ({"use": "mixed_precision", "max_drop": 0.01},)
    return Variant("mixed", "onnx", recipe, ("done",), make_artifact(), layers=(FRAGILE, STURDY))


def a_run(*variants: Variant) -> Run:
    return Run("id-1", "digits", "2026-01-01T00:00:00+00:00", variants, (), None)


def test_the_page_says_what_was_kept_out_and_why(mixed: Variant) -> None:
    page = render_report(a_run(mixed))
    assert "2 layers: 1 int8, 1 float; 75.0% of the weights are int8." in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: float, alone in int8: 4.8 dB" in page
    assert HOSTILE not in page
    assert "answers changed, %" in page
    assert "int8 saves 0.02 ms of it" in page


def test_a_page_without_such_variants_has_no_chart(mixed: Variant) -> None:
    plain = Variant("int8", "onnx", mixed.recipe, (), mixed.artifact)
    page = render_report(a_run(plain))
    assert "<h2>Layers</h2>" not in page
    assert "plotly" not in page


def test_the_library_is_on_the_page_once(mixed: Variant) -> None:
    charts = layer_charts([mixed, mixed], has_plotly=False)
    assert [len(each.div) > 10**6 for each in charts] == [True, False]
    assert [len(each.div) > 10**6 for each in layer_charts([mixed], has_plotly=True)] == [False]


def test_outputs_that_are_no_scores_have_one_panel(mixed: Variant) -> None:
    layer = LayerChoice("fc", "Gemm", "int8", "", 6912, 36.6)
    variant = Variant("mixed", "onnx", mixed.recipe, (), mixed.artifact, layers=(layer,))
    assert "answers changed" not in layer_charts([variant], has_plotly=True)[0].div


def test_the_json_has_every_layer(mixed: Variant) -> None:
    content = json.loads(json.dumps(run_json(a_run(mixed)), allow_nan=False))
    assert content["variants"][0]["layers"] == [
        {
            "name": HOSTILE,
            "operator": "Conv",
            "precision": "float",
            "reason": "alone in int8: 4.8 dB",
            "weight_bytes": 2304,
            "sqnr_db": 4.8,
            "changed": 0.271,
            "saved_ms": None,
        },
        {
            "name": "fc",
            "operator": "Gemm",
            "precision": "int8",
            "reason": "",
            "weight_bytes": 6912,
            "sqnr_db": 36.6,
            "changed": 0.0,
            "saved_ms": 0.02,
        },
    ]
