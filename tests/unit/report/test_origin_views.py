"""How variants were made: the table of sizes, the whole lineage, and the page."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console
from trimtab.records import Artifact, ModelFacts, Origin, Run, SourceFile, StepData, Variant
from trimtab.report.html import render_report
from trimtab.report.json_output import lineage_json
from trimtab.report.origin_terminal import print_facts, print_lineage
from trimtab.report.origin_view import facts_view, lineage_pairs, short
from trimtab_protos.errors import Failure

FACTS = ModelFacts(2_000_000, 40_813_184, 0.0)
ORIGIN = Origin(
    "/home/someone/secret-project",
    (SourceFile("task.py", "ab" * 32, "task"), SourceFile("../e.npz", "cd" * 32, "eval")),
    seed=7,
    versions={"trimtab": "1.0", "torch": "2.0"},
    python="3.11.1",
    machine="Linux x86_64",
    data=(StepData("prune", "ef" * 32),),
    model_fingerprint="01" * 32,
    facts=FACTS,
)
MakeArtifact = Callable[..., Artifact]


@pytest.fixture
def variants(make_artifact: MakeArtifact) -> tuple[Variant, ...]:
    def made(name: str, size: int, download: int, facts: ModelFacts) -> Variant:
        artifact = replace(make_artifact(f"{name}.onnx", size_bytes=size), download_bytes=download)
        recipe = ({"use": "prune", "amount": 0.5},) if name != "float" else ()
        origin = replace(ORIGIN, facts=facts)
        return Variant(name, "onnx", recipe, ("cut by <half>",), artifact, origin=origin)

    cut = replace(FACTS, parameters=1_000_000, macs=20_406_592)
    return (
        made("float", 8_000_000, 7_400_000, FACTS),
        made("zeroed", 8_000_000, 4_440_000, replace(FACTS, sparsity=0.5)),
        made("cut", 4_000_000, 3_700_000, cut),
        made("odd", 2_000_000, 1_000_000, ModelFacts(None, None, None, {"macs": "no idea"})),
        Variant("int4", "onnx", ({"use": "quantize"},), (), None, Failure("model", "no carrier")),
    )


def printed(variants: tuple[Variant, ...]) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_facts(variants, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_figures_stand_beside_their_share_of_the_float_model(
    variants: tuple[Variant, ...],
) -> None:
    rows = {row[0]: row[2:] for row in facts_view(variants).rows}
    assert rows["float"] == ("2,000,000", "40.8 M", "0.0%", "8.00", "7.40")
    assert rows["cut"] == (
        "1,000,000 (0.50)",
        "20.4 M (0.50)",
        "0.0%",
        "4.00 (0.50)",
        "3.70 (0.50)",
    )
    assert rows["odd"] == ("–", "–", "–", "2.00 (0.25)", "1.00 (0.14)")
    assert "int4" not in rows  # there is nothing of it


def test_zeros_that_save_nothing_in_the_file_are_called_so(variants: tuple[Variant, ...]) -> None:
    notes = [note for note in facts_view(variants).notes if "zero" in note]
    assert notes == [
        "zeroed (onnx): 50% of the weights are zero, and the file is 1.00 of the float one: it "
        "stores zeros as any other weight; as an update it is 0.60"
    ]


def test_the_table_fits_the_width_of_a_file(variants: tuple[Variant, ...]) -> None:
    long = replace(variants[2], name="pruned-half-and-quantized")
    huge = ModelFacts(7_241_732_096, 11_106_000_000_000, 0.5)
    assert long.origin is not None
    text = printed((*variants, replace(long, origin=replace(long.origin, facts=huge))))
    assert max(map(len, text.splitlines())) <= 120
    assert "Made from task.py (sha256 abababababab), seed 7, with trimtab 1.0" in text
    assert "7,241,732,096" in text
    assert "11.1 T" in text


def test_an_older_run_says_that_it_does_not_know(variants: tuple[Variant, ...]) -> None:
    old = tuple(replace(each, origin=None) for each in variants)
    assert "What they were made from is not written down: the run is older" in printed(old)
    assert facts_view(old).rows[2][2:] == ("–", "–", "–", "4.00 (0.50)", "3.70 (0.50)")
    assert dict.fromkeys(pair.name for pair in lineage_pairs(old[0], old)).keys() >= {"source"}


def test_the_whole_lineage_is_told(variants: tuple[Variant, ...]) -> None:
    told = {pair.name: pair.lines for pair in lineage_pairs(variants[2], variants)}
    assert told["recipe"] == ("prune: amount = 0.5",)
    assert told["done"] == ("cut by <half>",)
    assert told["source"] == (
        f"task.py in /home/someone/secret-project, sha256 {'ab' * 32}",
        f"../e.npz, sha256 {'cd' * 32}",
    )
    assert told["data"] == (f"of prune: sha256 {'ef' * 32}",)
    assert told["seed"] == ("7",)
    assert told["made with"] == ("Python 3.11.1 on Linux x86_64", "trimtab 1.0, torch 2.0")
    assert told["parameters"] == ("1,000,000 (0.50 of float)",)
    assert told["MACs"] == ("20,406,592 (0.50 of float)",)
    assert told["zeros"] == ("0.0% of the weights, counted in the model",)
    assert told["size"] == ("4.00 MB (0.50 of float)",)
    assert told["download"] == ("3.70 MB (0.50 of float), zstd-compressed",)
    unknown = {pair.name: pair.lines for pair in lineage_pairs(variants[3], variants)}
    assert unknown["MACs"] == ("unavailable: no idea",)
    assert lineage_pairs(variants[4], variants)[-1].lines == ("no carrier",)


def test_a_lineage_on_the_terminal_says_how_to_do_it_again(variants: tuple[Variant, ...]) -> None:
    console = Console(file=io.StringIO(), width=120)
    run = Run("id-1", "digits", "2026-01-01T00:00:00+00:00", variants, ())
    print_lineage(run, variants[2:3], console)
    assert isinstance(console.file, io.StringIO)
    assert "trimtab runs rebuild id-1 cut --format onnx" in console.file.getvalue()


def test_the_page_has_both_and_names_no_folder(variants: tuple[Variant, ...]) -> None:
    page = render_report(Run("id-1", "digits", "2026-01-01T00:00:00+00:00", variants, ()))
    assert page.count("How it was made") == 4
    assert "20.4 M (0.50)" in page
    assert "it stores zeros as any other weight" in page
    assert "01" * 32 in page
    assert "cut by &lt;half&gt;" in page
    assert "secret-project" not in page


def test_json_has_the_origin_without_a_folder(variants: tuple[Variant, ...]) -> None:
    run = Run("id-1", "digits", "2026-01-01T00:00:00+00:00", variants, ())
    document = lineage_json(run, run.variants[2:3])
    assert document["schema"] == "trimtab.lineage/1"
    (variant,) = document["variants"]
    assert variant["download_bytes"] == 3_700_000
    assert variant["origin"]["facts"]["macs"] == 20_406_592
    assert variant["origin"]["folder"] == ""
    assert [each["name"] for each in variant["origin"]["sources"]] == ["task.py", "e.npz"]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (999, "999"), (1854080, "1.85 M"), (2.5e9, "2.5 G")]
)
def test_large_counts_are_shortened(count: float, text: str) -> None:
    assert short(count) == text
