"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from trimtab.durations import seconds
from trimtab.measure.agreement import DEFAULT_LIMITS
from trimtab.measure_policies import PERCENTILE_SAMPLES, POLICIES, SUSTAIN_RANGE_S, policy_fields
from trimtab.project import parse_change
from trimtab.records import UserError

_SHAPE = re.compile(r"(?P<name>[^=]+)=(?P<dimensions>\d+(x\d+)*)")
_DURATIONS = {
    "min_duration": "min_duration_s",
    "cooldown_timeout": "cooldown_timeout_s",
    "process_timeout": "process_timeout_s",
}
_SCENARIOS = {"batch_size": "batch_size", "rate": "rate_hz", "sustain": "sustain_s"}
_TAIL = "Take the samples that it needs, over all repeats."
OUTPUTS = ("table", "json", "csv", "markdown")

Command = Callable[..., Any]


def output_option(command: Command) -> Command:
    return click.option(
        "--format",
        "output",
        type=click.Choice(OUTPUTS),
        default="table",
        show_default=True,
        help="Machine formats go to standard output alone.",
    )(command)


def report_option(command: Command) -> Command:
    return click.option(
        "--report",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE.html",
        help="Write the page too.",
    )(command)


def device_option(command: Command) -> Command:
    return _device_option("local")(command)


def project_device_option(command: Command) -> Command:
    return _device_option("the project's [devices] select")(command)


def _device_option(default: str) -> Callable[[Command], Command]:
    return click.option(
        "--device",
        "-d",
        "devices",
        multiple=True,
        metavar="SELECTOR",
        help="A name or pattern, label:KEY=VALUE, runtime:NAME, memory>=2GB, with and, or, not; "
        f"all; repeatable.  [default: {default}]",
    )


def measure_options(command: Command) -> Command:
    """How each arm is measured; what is not given stays as the project or its policy says."""
    options = [
        click.option("--policy", type=click.Choice(tuple(POLICIES)), help="See trimtab policies."),
        click.option("--repeats", type=click.IntRange(1, 50), help="Processes per arm."),
        click.option("--min-duration", metavar="DURATION", help="Timed per process: 500ms, 2s."),
        click.option("--min-samples", type=click.IntRange(1, 1_000_000), help="Timed per process."),
        click.option("--percentile", type=click.Choice(tuple(PERCENTILE_SAMPLES)), help=_TAIL),
        click.option("--pin", metavar="CPU[,CPU...]", help="Bind the measured process."),
        click.option(
            "--max-start-temperature",
            type=click.FloatRange(0, min_open=True),
            metavar="CELSIUS",
            help="Wait before each repeat until the device is that cool.",
        ),
        click.option("--cooldown-timeout", metavar="DURATION", help="How long to wait for that."),
        click.option(
            "--memory-limit",
            type=click.FloatRange(0, min_open=True),
            metavar="MB",
            help="Anonymous memory per process.",
        ),
        click.option("--process-timeout", metavar="DURATION", help="Then a process is killed."),
        click.option(
            "--batch-size",
            type=click.IntRange(1, 1 << 20),
            metavar="N",
            help="Latencies are then per batch; the file's batch must be open, or N.",
        ),
        click.option(
            "--rate",
            type=click.FloatRange(0, 10_000, min_open=True),
            metavar="HZ",
            help="One inference a period, instead of back to back.",
        ),
        click.option(
            "--sustain",
            metavar="DURATION",
            help="Keep one process per arm at work for that long, and show how it slows down.",
        ),
        click.option(
            "--profile", is_flag=True, help="Time each operator too, in processes of its own."
        ),
        click.option(
            "--set",
            "changes",
            multiple=True,
            metavar="NAME=VALUE",
            help="Any setting of [measure] or [dispatch], by its name there; repeatable. "
            "See trimtab policies.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def reference_option(command: Command) -> Command:
    return click.option(
        "--reference",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A model, or an .npz of its outputs: arms whose outputs disagree are INVALID. "
        "Compared on the inputs of --eval or --inputs.",
    )(command)


def agreement_options(command: Command) -> Command:
    """How closely outputs have to agree with their reference."""
    options = [
        click.option(
            "--min-sqnr",
            "min_sqnr_db",
            type=float,
            metavar="DB",
            help=f"Of the worst output.  [default: {DEFAULT_LIMITS.min_sqnr_db:g}]",
        ),
        click.option(
            "--min-agreement",
            type=click.FloatRange(0, 1),
            metavar="FRACTION",
            help=f"Samples of the same class.  [default: {DEFAULT_LIMITS.min_agreement:g}]",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def parse_threads(values: tuple[str, ...]) -> tuple[int, ...]:
    """``1,2,4`` or repeated; none twice."""
    numbers: list[int] = []
    for part in ",".join(values).split(","):
        if not part.isdecimal() or not 0 < int(part) <= 1024:
            raise UserError(f"--threads {part}: not a thread count", "for example --threads 1,2,4")
        if int(part) not in numbers:
            numbers.append(int(part))
    return tuple(numbers)


def parse_shapes(values: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for value in values:
        match = _SHAPE.fullmatch(value)
        if match is None:
            raise UserError(f"--shape {value}: not a shape", "for example --shape x=1x3x224x224")
        shapes[match["name"]] = tuple(int(part) for part in match["dimensions"].split("x"))
    return shapes


def parse_options(values: tuple[str, ...]) -> dict[str, str]:
    options: dict[str, str] = {}
    for text in values:
        key, separator, value = text.partition("=")
        if not separator or not key or not value:
            raise UserError(f"--option {text}: not an option", "for example litert.xnnpack=off")
        options[key] = value
    return options


def parse_duration(text: str) -> float:
    """Seconds from ``500ms``, ``2s``, ``10m``, ``1h`` or a bare number of seconds."""
    duration = seconds(text)
    if not duration:
        raise UserError(f"{text}: not a duration", "for example 500ms, 2s, 10m")
    return duration


def overridden(measure: dict[str, Any]) -> dict[str, Any]:
    """The settings of [measure] that the command line changes, by their names there.

    ``--policy`` replaces all that a policy sets, also what the project file sets by itself.
    """
    return with_policy(explicit(measure))


def with_policy(given: dict[str, Any]) -> dict[str, Any]:
    """What a policy sets, and over it what was given beside it."""
    return {**policy_fields(given["policy"]), **given} if "policy" in given else given


def explicit(measure: dict[str, Any]) -> dict[str, Any]:
    """What was given on the command line and nothing else, of a policy its name."""
    fields: dict[str, Any] = {
        "repeats": measure.get("repeats"),
        "min_samples": measure.get("min_samples"),
        "percentile": measure.get("percentile"),
        "max_start_temperature_c": measure.get("max_start_temperature"),
        "memory_limit_mb": measure.get("memory_limit"),
        "profile": measure.get("profile") or None,
        "min_sqnr_db": measure.get("min_sqnr_db"),
        "min_agreement": measure.get("min_agreement"),
        "policy": measure.get("policy"),
    }
    for option, field in _DURATIONS.items():
        if measure.get(option) is not None:
            fields[field] = parse_duration(measure[option])
    if measure.get("pin") is not None:
        fields["cpu_affinity"] = parse_processors(measure["pin"])
    given = {name: value for name, value in fields.items() if value is not None}
    given |= _scenario(measure)
    return with_changes(given, measure.get("changes", ()))


def with_changes(given: dict[str, Any], changes: tuple[str, ...]) -> dict[str, Any]:
    """``given`` with what --set says beside it. Raises UserError for a setting given twice."""
    together = dict(given)
    for text in changes:
        name, value = parse_change(text)
        if name in together:
            raise UserError(f"--set {text}: {name} is given twice", "give it once")
        together[name] = value
    return together


def _scenario(measure: dict[str, Any]) -> dict[str, Any]:
    """At most one, in place of the project's. A load is sustained in one process an arm, unless
    more were asked for."""
    asked = [name for name in _SCENARIOS if measure.get(name) is not None]
    if not asked:
        return {}
    if len(asked) > 1:
        first, second = (f"--{name.replace('_', '-')}" for name in asked[:2])
        raise UserError(f"{first} and {second} are two scenarios", "give one of the two")
    fields = {field: measure.get(name) for name, field in _SCENARIOS.items()}
    if fields["sustain_s"] is not None:
        fields["sustain_s"] = _sustain(fields["sustain_s"])
        fields["repeats"] = measure.get("repeats") or 1
    return fields


def _sustain(text: str) -> float:
    seconds = parse_duration(text)
    least, most = SUSTAIN_RANGE_S
    if not least <= seconds <= most:
        raise UserError(f"--sustain {text}: out of range", "from 1s to 24h, for example 10m")
    return seconds


def parse_processors(text: str) -> tuple[int, ...]:
    """``0,1``: numbers of processors, each once."""
    parts = text.split(",")
    numbers = tuple(int(part) for part in parts if part.isdecimal())
    if len(numbers) != len(parts) or len(set(numbers)) != len(numbers):
        raise UserError(f"--pin {text}: not processors", "for example --pin 2,3")
    return numbers
