"""Every wrong project file is one line: the file, the line, what is wrong, what is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from trimtab.compress.passes.quantization.quantize import Scheme
from trimtab.project import load_project
from trimtab.records import UserError

SCHEMES = ", ".join(get_args(Scheme))
GOOD_HEAD = '[task]\nmodule = "task.py"\n'
Complaint = Callable[[str], tuple[int, str]]
VARIANT = '[[variant]]\nname = "small"\n'


@pytest.fixture
def complaint(tmp_path: Path) -> Complaint:
    """Loads the text as a project and gives the error's line number and the rest of its message."""
    (tmp_path / "task.py").write_text("")
    file = tmp_path / "trimtab.toml"

    def load(text: str) -> tuple[int, str]:
        file.write_text(text)
        with pytest.raises(UserError) as caught:
            load_project(file)
        message = caught.value.message
        assert "\n" not in message
        assert message.startswith(f"{file}:")
        line, rest = message.removeprefix(f"{file}:").split(": ", 1)
        return int(line), rest

    return load


CASES = {
    "unknown key in a table": (
        GOOD_HEAD + "\n[measure]\nrepeats = 3\nthread = [1]\n",
        6,
        "unknown key thread (did you mean threads?); allowed: policy, runtimes, threads",
    ),
    "unknown table": (
        GOOD_HEAD + '\n\n[device]\nselect = ["local"]\n',
        5,
        "unknown key device (did you mean devices?)",
    ),
    "unknown key in the second variant": (
        GOOD_HEAD
        + VARIANT
        + 'passes = [{ use = "quantize", scheme = "fp16" }]\n'
        + '\n[[variant]]\nname = "b"\nformat = ["onnx"]\n'
        + 'passes = [{ use = "quantize", scheme = "fp16" }]\n',
        9,
        "unknown key format (did you mean formats?); allowed: name, formats, passes",
    ),
    "text for a number": (
        GOOD_HEAD + 'seed = "0"\n',
        3,
        'task.seed is the string "0"; allowed: a whole number',
    ),
    "number for a list": (
        GOOD_HEAD + "[measure]\n# a comment\nthreads = 4\n",
        5,
        "measure.threads is 4; allowed: a list",
    ),
    "fraction for a count": (
        GOOD_HEAD + "[measure]\nrepeats = 2.5\n",
        4,
        "measure.repeats is 2.5; allowed: a whole number",
    ),
    "wrong element in a list over lines": (
        GOOD_HEAD + "[measure]\nthreads = [\n  1,\n  0,\n]\n",
        6,
        "measure.threads is 0; allowed: 1 or more",
    ),
    "missing task table": ("[devices]\nselect = ['local']\n", 1, "task is missing"),
    "missing name": (
        GOOD_HEAD + '\n[[variant]]\npasses = [{ use = "quantize", scheme = "fp16" }]\n',
        4,
        "name is missing",
    ),
    "missing task file": (
        '[task]\nseed = 1\nmodule = "missing.py"\n',
        3,
        "task file missing.py does not exist; allowed: a Python file that exists",
    ),
    "a model file for a task file": (
        '[task]\nmodule = "m.onnx"\n',
        2,
        'm.onnx is a model file; allowed: model = "m.onnx"',
    ),
    "missing model file": (
        '[task]\nseed = 1\nmodel = "m.onnx"\n',
        3,
        "model file m.onnx does not exist; allowed: a file that exists",
    ),
    "a model file that cannot be compressed": (
        '[task]\nmodel = "m.pte"\n',
        2,
        "m.pte is no model file that can be compressed; allowed: a file in .onnx or .tflite",
    ),
    "both a task file and a model file": (
        '[task]\nmodule = "task.py"\nmodel = "m.onnx"\n',
        3,
        "both module and model are given; allowed: one of the two",
    ),
    "data beside a task file": (
        '[task]\nmodule = "task.py"\ncalibration = "c.npz"\n',
        3,
        "calibration goes with a model file, not with a task file; allowed: def calibration_data()",
    ),
    "unknown pass": (
        GOOD_HEAD + VARIANT + 'passes = [\n  { use = "quantise" },\n]\n',
        6,
        "unknown pass quantise (did you mean quantize?); allowed: ",
    ),
    "pass without use": (
        GOOD_HEAD + VARIANT + 'passes = [{ scheme = "fp16" }]\n',
        5,
        "a pass needs use = its name; allowed: ",
    ),
    "unknown scheme": (
        GOOD_HEAD + VARIANT + 'passes = [\n  { use = "quantize", scheme = "int4" }\n]\n',
        6,
        f"scheme int4; allowed: {SCHEMES}",
    ),
    "missing scheme": (
        GOOD_HEAD + VARIANT + 'passes = [\n  { use = "quantize" }\n]\n',
        6,
        f"scheme is missing; allowed: {SCHEMES}",
    ),
    "unknown setting of a pass": (
        GOOD_HEAD + VARIANT + 'passes = [{ use = "quantize", scheme = "static", sample = 5 }]\n',
        5,
        "unknown key sample (did you mean samples?); allowed: scheme, samples, method",
    ),
    "setting of another scheme": (
        GOOD_HEAD + VARIANT + 'passes = [{ use = "quantize", scheme = "fp16", samples = 5 }]\n',
        5,
        "samples is a setting of scheme static and static-int16 alone",
    ),
    "one pass twice": (
        GOOD_HEAD
        + VARIANT
        + "passes = [\n"
        + '  { use = "quantize", scheme = "fp16" },\n'
        + '  { use = "quantize", scheme = "static" },\n]\n',
        7,
        "pass quantize stands twice in one recipe",
    ),
    "unknown format": (
        GOOD_HEAD
        + VARIANT
        + 'formats = ["onnx",\n "tflight"]\npasses = [{ use = "quantize", scheme = "fp16" }]\n',
        6,
        "unknown format tflight (did you mean tflite?); allowed: onnx, openvino, pt2, pte, tflite",
    ),
    "unknown runtime": (
        GOOD_HEAD + '[measure]\nruntimes = ["onnxruntime", "lightrt"]\n',
        4,
        "unknown runtime lightrt (did you mean litert?); allowed: executorch, litert",
    ),
    "unknown metric": (
        GOOD_HEAD + '[require]\nlatency_p90 = "<= 5"\n',
        4,
        "unknown metric latency_p90 (did you mean latency_p90_ms?); allowed: latency_p50_ms",
    ),
    "not a limit": (
        GOOD_HEAD + '[require]\n\naccuracy = "high"\n',
        5,
        'accuracy is "high"; allowed: a limit such as "<= 5"',
    ),
    "a bare number for a limit": (
        GOOD_HEAD + "[require]\nsize_mb = 5\n",
        4,
        "require.size_mb is 5",
    ),
    "accuracy over 1": (
        GOOD_HEAD + '[require]\naccuracy = ">= 1.5"\n',
        4,
        "accuracy >= 1.5 can never be met; allowed: accuracy lies between 0 and 1",
    ),
    "no latency": (
        GOOD_HEAD + '[require]\nlatency_p50_ms = "<= 0"\n',
        4,
        "latency_p50_ms <= 0 can never be met; allowed: latency_p50_ms is more than 0",
    ),
    "accuracy drop of minus 1": (
        GOOD_HEAD + '[require]\naccuracy_drop = "<= -1"\n',
        4,
        "accuracy_drop <= -1 can never be met",
    ),
    "contradictory bounds": (
        GOOD_HEAD + '[require]\naccuracy = ">= 0.5"\nsize_mb = [">= 2", "< 2"]\n',
        5,
        "size_mb >= 2 and size_mb < 2 contradict each other",
    ),
    "unknown objective": (
        GOOD_HEAD + '[prefer]\nminimize = "latency"\n',
        4,
        "unknown metric latency",
    ),
    "two objectives": (
        GOOD_HEAD + '[prefer]\nminimize = "size_mb"\nmaximize = "accuracy"\n',
        5,
        "both minimize and maximize are given",
    ),
    "two variants of one name": (
        GOOD_HEAD + 2 * (VARIANT + 'passes = [{ use = "quantize", scheme = "fp16" }]\n'),
        7,
        "two variants are called small",
    ),
    "a variant called float": (
        GOOD_HEAD
        + '[[variant]]\nname = "float"\npasses = [{ use = "quantize", scheme = "fp16" }]\n',
        4,
        "float is the uncompressed model",
    ),
    "a path for a name": (
        GOOD_HEAD
        + '[[variant]]\nname = "../up"\npasses = [{ use = "quantize", scheme = "fp16" }]\n',
        4,
        'variant.name is the string "../up"; allowed: letters, digits',
    ),
    "minimum over maximum": (
        GOOD_HEAD + "[measure]\nmax_duration_s = 1\nmin_duration_s = 2\n",
        5,
        "min_duration_s is 2; allowed: at most max_duration_s, which is 1",
    ),
    "two scenarios": (
        GOOD_HEAD + "[measure]\nbatch_size = 8\nrate_hz = 30\n",
        5,
        "rate_hz and batch_size are two scenarios; allowed: one of the two",
    ),
    "a rate of a sustained load": (
        GOOD_HEAD + "[measure]\nsustain_s = 60\nrate_hz = 30\n",
        4,
        "sustain_s and rate_hz are two scenarios; allowed: one of the two",
    ),
    "too short a load": (
        GOOD_HEAD + "[measure]\nsustain_s = 0.5\n",
        4,
        "measure.sustain_s is 0.5; allowed: 1.0 or more",
    ),
    "limit of agreement that is no share": (
        GOOD_HEAD + "[measure]\nmin_sqnr_db = 10\nmin_agreement = 90\n",
        5,
        "measure.min_agreement is 90; allowed: 1.0 or less",
    ),
    "limit of agreement as text": (
        GOOD_HEAD + '[measure]\nmin_sqnr_db = "10 dB"\n',
        4,
        'measure.min_sqnr_db is the string "10 dB"; allowed: a number',
    ),
    "not a number": (
        GOOD_HEAD + "[measure]\nmin_sqnr_db = nan\n",
        4,
        "measure.min_sqnr_db is nan; allowed: a finite number",
    ),
    "profile as text": (
        GOOD_HEAD + '[measure]\nprofile = "yes"\n',
        4,
        'measure.profile is the string "yes"; allowed: true or false',
    ),
    "unknown policy": (
        GOOD_HEAD + '[measure]\npolicy = "thorough"\n',
        4,
        "unknown measure.policy thorough; allowed: quick, normal, strict",
    ),
    "unknown reduction": (
        GOOD_HEAD + '[measure]\nreduction = "top5"\n',
        4,
        "unknown measure.reduction top5; allowed: none, argmax",
    ),
    "broken TOML": (GOOD_HEAD + "[measure\nrepeats = 3\n", 3, "not TOML: "),
    "unclosed at the end": (GOOD_HEAD + "[measure]\nthreads = [1,\n", 4, "not TOML: "),
    "a key twice": (GOOD_HEAD + "seed = 1\nseed = 2\n", 4, "not TOML: Cannot overwrite a value"),
}


@pytest.mark.parametrize("name", CASES)
def test_error_names_line_and_what_is_allowed(name: str, complaint: Complaint) -> None:
    text, line, message = CASES[name]
    seen_line, seen = complaint(text)
    assert message in seen
    assert seen_line == line


def test_missing_project_file_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file") as caught:
        load_project(tmp_path / "trimtab.toml")
    assert "trimtab init" in caught.value.advice


def test_bytes_that_are_not_text_have_a_line(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_bytes(b'[task]\nmodule = "\xff.py"\n')
    with pytest.raises(UserError, match=r"trimtab\.toml:2: not UTF-8"):
        load_project(tmp_path)


def test_lines_are_right_behind_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("")
    (tmp_path / "trimtab.toml").write_bytes(b'[task]\r\nmodule = "task.py"\r\nsede = 1\r\n')
    with pytest.raises(UserError, match=r"trimtab\.toml:3: unknown key sede"):
        load_project(tmp_path)
