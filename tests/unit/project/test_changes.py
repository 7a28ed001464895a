"""``--set NAME=VALUE``: settings of [measure] and [dispatch] by their names, checked as there."""

from typing import Any

import pytest
from trimtab.measure_policies import POLICIES
from trimtab.project import MeasureSettings, changed, parse_change
from trimtab.records import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repeats=7", 7),
        ("max_duration_s=2m", 120.0),
        ("warmup_s=500ms", 0.5),
        ("warmup_s=0", 0.0),
        ("min_sqnr_db=-3", -3),
        ("threads=1,2", (1, 2)),
        ("threads=[4]", (4,)),
        ("cpu_affinity = 3", (3,)),
        ("runtimes=onnxruntime,litert", ("onnxruntime", "litert")),
        ("policy=strict", "strict"),
        ("accelerator=1", "1"),
        ("profile=true", True),
        ("max_start_temperature_c=none", None),
        ("reduction=none", "none"),
        ("min_disk_free_mb=200", 200),
        ("job_deadline_s=30m", 1800.0),
        ("arms_per_job=none", None),
        ('runtime_options={ "litert.xnnpack" = "off" }', {"litert.xnnpack": "off"}),
        ("input_shapes={x=[1,3,8,8]}", {"x": (1, 3, 8, 8)}),
    ],
)
def test_values_are_read_as_in_the_file_with_shorter_lists_and_durations(
    text: str, expected: Any
) -> None:
    name, value = parse_change(text)
    assert value == expected
    assert name == text.partition("=")[0].strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("repeats", "not a setting"),
        ("=3", "not a setting"),
        ("repeats=", "not a setting"),
        ("repeat=3", "unknown setting repeat (did you mean repeats?); allowed: policy, runtimes"),
        ("min_disk_fre_mb=3", "unknown setting min_disk_fre_mb (did you mean min_disk_free_mb?)"),
        ("max_temperature_c=0", "max_temperature_c is 0; allowed: more than 0"),
        ("repeats=0", "repeats is 0; allowed: 1 or more"),
        ("repeats=2.5", "repeats is 2.5; allowed: a whole number"),
        ("repeats=none", 'repeats is the string "none"; allowed: a whole number'),
        ("warmup_s=soon", "warmup_s is soon; allowed: a duration such as 500ms, 2s, 10m"),
        ("max_duration_s=0", "max_duration_s is 0.0; allowed: more than 0"),
        ("max_duration_s=9999m", "max_duration_s is 599940.0; allowed: 86400.0 or less"),
        ("threads=1,0", "threads is 0; allowed: 1 or more"),
        ("threads=1,x", 'threads is the string "x"; allowed: a whole number'),
        ("profile=yes", 'profile is the string "yes"; allowed: true or false'),
        ("policy=slow", "unknown policy slow; allowed: quick, normal, strict"),
        ("min_sqnr_db=nan", "min_sqnr_db is nan; allowed: a finite number"),
        ("min_agreement=2", "min_agreement is 2; allowed: 1.0 or less"),
        ("input_shapes={x=1}", "input_shapes.x is 1; allowed: a list"),
        ("repeats=3\nthreads=[2]", "repeats is the string"),
    ],
)
def test_a_wrong_setting_is_refused_in_the_words_of_the_project_file(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_change(text)
    assert caught.value.message.startswith(f"--set {text}: ")
    assert said in caught.value.message
    assert "trimtab policies" in caught.value.advice


@pytest.mark.parametrize("name", MeasureSettings.model_fields)
def test_every_setting_takes_its_own_default_back(name: str) -> None:
    default = getattr(MeasureSettings(), name)
    text = {"runtime_options": "{}", "input_shapes": "{}", "cpu_affinity": "[]"}.get(name)
    if text is None and default is None:
        text = "none"
    elif text is None:
        parts = default if isinstance(default, tuple) else (default,)
        text = ",".join(str(part).lower() for part in parts)
    assert parse_change(f"{name}={text}") == (name, default)


def test_changes_stand_over_the_file_and_the_file_over_its_policy() -> None:
    file = MeasureSettings.model_validate({"policy": "normal", "repeats": 9, "warmup_s": 1})
    measure = changed(file, {"repeats": 7, "profile": True})
    assert (measure.repeats, measure.warmup_s, measure.profile) == (7, 1, True)
    assert measure.max_retries == POLICIES["normal"]["max_retries"]
    assert changed(file, {}) == file


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min_duration_s": 25.0}, "at most max_duration_s, which is 20"),
        ({"batch_size": 2, "rate_hz": 3.0}, "two scenarios"),
        ({"runtimes": ("tvm",)}, "unknown runtime tvm; allowed: executorch, litert"),
        ({"repeats": 101}, "repeats is 101; allowed: 100 or less"),
    ],
)
def test_what_only_shows_together_is_refused_too(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        changed(MeasureSettings(), changes)
    assert said in caught.value.message
