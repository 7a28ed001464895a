"""The main job: ``trimtab demo``, and what can be asked of its run afterwards."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.alone

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
VARIANTS = {"float", "fp16", "int8-dynamic", "int8-static"}


@dataclass(frozen=True)
class Demo:
    """One demo, run once for the module, in a home of its own."""

    folder: Path
    environment: dict[str, str]
    finished: subprocess.CompletedProcess[str]
    run: dict[str, Any]

    def trimtab(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return _trimtab(self.folder, self.environment, *arguments)


def _trimtab(
    folder: Path, environment: dict[str, str], *arguments: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trimtab", *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "TRIMTAB_HOME": str(folder / "home"), "COLUMNS": "140"}
    finished = _trimtab(folder, environment, "demo", "--out", "out", "--min-duration", "200ms")
    assert finished.returncode == 0, finished.stderr
    return Demo(folder, environment, finished, json.loads((folder / "out/run.json").read_text()))


def test_eight_variants_are_measured_with_every_figure(demo: Demo) -> None:
    results = demo.run["results"]

    assert demo.run["schema"] == "trimtab.run/1"
    assert {(result["variant"], result["artifact"]["format"]) for result in results} == {
        (name, artifact_format) for name in VARIANTS for artifact_format in ("onnx", "tflite")
    }
    for result in results:
        metrics = result["metrics"]
        assert result["error"] is None
        assert result["process_count"] == 3
        for name in ("latency_p50_ms", "latency_p90_ms", "memory_peak_mb", "size_mb", "accuracy"):
            assert metrics[name]["value"] > 0, name
        assert metrics["parameters"]["value"] == 121_994
        assert metrics["macs"]["value"] == 1_854_080
        assert (metrics["sparsity"]["value"] > 0) == ("int8" in result["variant"])
        assert metrics["latency_p50_ms"]["ci95"] is not None
        assert metrics["energy_mj"]["provenance"] == "unavailable"
        assert isinstance(result["verdict"]["valid"], bool)
        assert result["verdict"]["checks"]


def test_the_float_model_is_good_and_int8_is_small(demo: Demo) -> None:
    by_variant = {
        (result["variant"], result["artifact"]["format"]): result["metrics"]
        for result in demo.run["results"]
    }
    for artifact_format in ("onnx", "tflite"):
        assert by_variant["float", artifact_format]["accuracy"]["value"] > 0.95
        static = by_variant["int8-static", artifact_format]
        assert static["compression_ratio"]["value"] > 2
        assert static["accuracy_drop"]["value"] <= 0.02


def test_the_decision_has_a_reason_for_every_other_variant(demo: Demo) -> None:
    (device,) = demo.run["decision"]["devices"]

    assert device["chosen"] is not None
    assert len(device["not_chosen"]) == 7
    assert all(each["reason"] for each in device["not_chosen"])
    for each in device["not_chosen"]:
        assert each["reason"] in " ".join(demo.finished.stdout.split())


def test_the_report_is_one_page_that_needs_nothing_else(demo: Demo) -> None:
    page = (demo.folder / "out/report.html").read_text()

    assert "int8-static" in page
    assert 'src="http' not in page
    assert 'rel="stylesheet"' not in page


def test_the_run_is_kept_and_shown_again(demo: Demo) -> None:
    listed = json.loads(demo.trimtab("runs", "list", "--format", "json").stdout)["runs"]
    shown = demo.trimtab("runs", "show", demo.run["run_id"], "--format", "json")

    assert [run["run_id"] for run in listed] == [demo.run["run_id"]]
    kept = json.loads(shown.stdout)
    assert kept["variants"] == demo.run["variants"]
    assert all(each["origin"]["seed"] == 0 for each in kept["variants"])
    as_table = demo.trimtab("runs", "show", demo.run["run_id"]).stdout
    assert "1.85 M" in as_table
    assert max(map(len, as_table.splitlines())) <= 140
    assert kept["results"] == demo.run["results"]
    assert kept["decision"] == demo.run["decision"]


def test_another_objective_gives_another_choice_without_measuring_again(demo: Demo) -> None:
    decided = demo.trimtab(
        "decide", demo.run["run_id"], "--minimize", "size_mb", "--format", "json"
    )

    assert decided.returncode == 0, decided.stderr
    (device,) = json.loads(decided.stdout)["decision"]["devices"]
    smallest = min(demo.run["results"], key=lambda result: result["metrics"]["size_mb"]["value"])
    assert device["chosen"]["variant"] == smallest["variant"]


def test_a_requirement_that_nothing_meets_is_exit_1_with_the_nearest(demo: Demo) -> None:
    decided = demo.trimtab("decide", demo.run["run_id"], "--require", "size_mb<=0.001")

    assert decided.returncode == 1
    assert "nothing meets the requirements; nearest is" in decided.stdout


def test_a_kept_run_becomes_a_report(demo: Demo) -> None:
    written = demo.trimtab("report", demo.run["run_id"], "-o", "again.html")

    assert written.returncode == 0, written.stderr
    assert demo.run["run_id"] in (demo.folder / "again.html").read_text()


def test_an_unknown_run_is_one_line(demo: Demo) -> None:
    shown = demo.trimtab("runs", "show", "nothing")

    assert shown.returncode == 2
    assert demo.run["run_id"] in shown.stderr
    assert "Traceback" not in shown.stderr


@pytest.mark.slow
def test_a_project_from_the_same_seed_has_the_same_variants(demo: Demo) -> None:
    assert demo.trimtab("init", "project").returncode == 0
    made = demo.trimtab("compress", "project", "--format", "json")

    variants = json.loads(made.stdout)["variants"]
    first = {
        (each["variant"], each["artifact"]["format"]): each["artifact"]["sha256"]
        for each in demo.run["results"]
    }
    assert {(each["name"], each["format"]): each["sha256"] for each in variants} == first


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_draws_every_variant_in_the_plot(demo: Demo, tmp_path: Path) -> None:
    page = demo.folder / "out" / "report.html"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"]
    drawn = subprocess.run(
        [
            "chromium",
            *flags,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout

    assert len(re.findall(r"<path class=.point.", drawn)) == 8
    assert len(re.findall(r"class=.yerror.", drawn)) == 8  # the intervals of the accuracy
