"""How a run's variants were made and what became of the model's size, as text to lay out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from trimtab.measure.wording import show_value
from trimtab.records import Artifact, ModelFacts, Origin, Variant
from trimtab.store.recorded_origin import without_folder

ABSENT = "–"
COLUMNS = ("variant", "format", "parameters", "MACs", "zeros", "size MB", "download MB")
SHARES = "(share): of the float model in the same format; download: zstd-compressed"
NOT_KEPT = "not written down: the run is older than that"
NO_FILE = "of no file: the task was made in code"
_MB = 1e6
_MANY_ZEROS = 0.1
_AS_LARGE = 0.98
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Pair:
    """``lines``: one or more, of what ``name`` says."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class FactsView:
    """A table of what became of the model's size, and what it was made from."""

    source: str
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    columns: tuple[str, ...] = COLUMNS


def facts_view(variants: Sequence[Variant]) -> FactsView:
    notes = (SHARES, *facts_notes(variants))
    return FactsView(made_from(variants), facts_rows(variants), notes)


def facts_rows(variants: Sequence[Variant]) -> tuple[tuple[str, ...], ...]:
    """As COLUMNS has it; a row for each variant that was made."""
    return tuple(
        (each.name, each.format, *_figures(each.artifact, facts_of(each), _float(each, variants)))
        for each in variants
        if each.artifact is not None
    )


def facts_notes(variants: Sequence[Variant]) -> tuple[str, ...]:
    """Where zeros save nothing in a file, it is said."""
    return tuple(note for each in variants if (note := _zeros_note(each, _float(each, variants))))


def made_from(variants: Sequence[Variant]) -> str:
    """``Made from task.py (sha256 1a2b3c4d5e6f), seed 0, with trimtab 0.5.0 on Python 3.11.1``."""
    origin = next((each.origin for each in variants if each.origin is not None), None)
    if origin is None:
        return f"What they were made from is {NOT_KEPT}"
    source = origin.sources[0]
    version = origin.versions.get("trimtab", "")
    return (
        f"Made from {source.name} (sha256 {source.sha256[:12] or NO_FILE}), seed {origin.seed}, "
        f"with trimtab {version} on Python {origin.python}, {origin.machine}"
    )


def lineage_pairs(variant: Variant, variants: Sequence[Variant]) -> tuple[Pair, ...]:
    """All that is known of it; ``variants``: the run's, of which one is the float model."""
    return (*recipe_pairs(variant), *origin_pairs(variant), *size_pairs(variant, variants))


def made_pairs(variant: Variant, variants: Sequence[Variant]) -> tuple[Pair, ...]:
    """For a page that names no folders; the recipe stands there already."""
    origin = without_folder(variant.origin) if variant.origin is not None else None
    shown = replace(variant, origin=origin)
    return (*origin_pairs(shown), *size_pairs(variant, variants))


def recipe_pairs(variant: Variant) -> Iterator[Pair]:
    steps = tuple(shown_step(step) for step in variant.recipe)
    yield Pair("recipe", steps or ("none: the float model",))
    if variant.lineage:
        yield Pair("done", variant.lineage)
    if variant.failure is not None:
        yield Pair("not made", (variant.failure.message,))


def origin_pairs(variant: Variant) -> Iterator[Pair]:
    origin = variant.origin
    if origin is None:
        if variant.artifact is not None:
            yield Pair("source", (NOT_KEPT,))
        return
    folder = f" in {origin.folder}" if origin.folder else ""
    first, *others = origin.sources
    yield Pair(
        "source",
        (
            f"{first.name}{folder}, sha256 {first.sha256 or NO_FILE}",
            *(f"{each.name}, sha256 {each.sha256}" for each in others),
        ),
    )
    yield from _identity_pairs(origin)


def size_pairs(variant: Variant, variants: Sequence[Variant]) -> Iterator[Pair]:
    artifact = variant.artifact
    if artifact is None:
        return
    was = _float(variant, variants)
    yield from _facts_pairs(facts_of(variant), facts_of(was))
    sizes = _sizes(artifact)
    floats = _sizes(was.artifact) if was is not None and was.artifact is not None else {}
    for name, value in sizes.items():
        share = _of_float(value, floats.get(name))
        told = ", zstd-compressed" if name == "download" else ""
        yield Pair(name, (f"{show_value(value / _MB, 'MB')}{share}{told}",))
    yield Pair("file", (f"{artifact.name}, sha256 {artifact.sha256}",))
    if note := _zeros_note(variant, was):
        yield Pair("note", (note,))


def facts_of(variant: Variant | None) -> ModelFacts | None:
    return variant.origin.facts if variant is not None and variant.origin is not None else None


def shown_step(step: Mapping[str, object]) -> str:
    """``quantize: scheme = static, per_channel = True``."""
    settings = {name: value for name, value in step.items() if name != "use"}
    listed = ", ".join(f"{name} = {value}" for name, value in settings.items())
    use = str(step.get("use", ""))
    return f"{use}: {listed}" if listed else use


def _identity_pairs(origin: Origin) -> Iterator[Pair]:
    if origin.model_fingerprint:
        yield Pair("float model", (f"fingerprint {origin.model_fingerprint}",))
    if origin.data:
        yield Pair("data", tuple(f"of {each.step}: sha256 {each.sha256}" for each in origin.data))
    yield Pair("seed", (str(origin.seed),))
    if origin.opset is not None:
        yield Pair("opset", (str(origin.opset),))
    versions = ", ".join(f"{name} {version}" for name, version in origin.versions.items())
    yield Pair("made with", (f"Python {origin.python} on {origin.machine}", versions))


def _facts_pairs(facts: ModelFacts | None, was: ModelFacts | None) -> Iterator[Pair]:
    if facts is None:
        return
    for name, title in (("parameters", "parameters"), ("macs", "MACs")):
        value = getattr(facts, name)
        told = f"unavailable: {facts.unknown.get(name)}"
        if value is not None:
            told = f"{value:,}{_of_float(value, getattr(was, name, None))}"
        yield Pair(title, (told,))
    zeros = f"unavailable: {facts.unknown.get('sparsity')}"
    if facts.sparsity is not None:
        zeros = f"{facts.sparsity:.1%} of the weights, counted in the {facts.sparsity_of}"
    yield Pair("zeros", (zeros,))


def _figures(artifact: Artifact, facts: ModelFacts | None, was: Variant | None) -> Iterator[str]:
    float_facts = facts_of(was)
    for name in ("parameters", "macs"):
        value = getattr(facts, name, None)
        text = ABSENT if value is None else f"{value:,}" if name == "parameters" else short(value)
        yield f"{text}{_share(value, getattr(float_facts, name, None))}"
    sparsity = facts.sparsity if facts is not None else None
    yield ABSENT if sparsity is None else f"{sparsity:.1%}"
    floats = _sizes(was.artifact) if was is not None and was.artifact is not None else {}
    for name, value in _sizes(artifact).items():
        yield f"{show_value(value / _MB, '')}{_share(value, floats.get(name))}"


def short(count: float) -> str:
    """``1.85 M``."""
    for unit, letter in _UNITS:
        if count >= unit:
            return f"{count / unit:.3g} {letter}"
    return f"{count:g}"


def _sizes(artifact: Artifact) -> dict[str, int]:
    return {"size": artifact.size_bytes, "download": artifact.download_bytes}


def _share(value: float | None, was: float | None) -> str:
    return f" ({value / was:.2f})" if value is not None and was else ""


def _of_float(value: float, was: float | None) -> str:
    return f" ({value / was:.{2 if value > was / 10 else 4}f} of float)" if was else ""


def _float(variant: Variant, variants: Sequence[Variant]) -> Variant | None:
    """None for the float model itself, too."""
    if variant.is_float:
        return None
    made = (each for each in variants if each.artifact is not None and each.is_float)
    return next((each for each in made if each.format == variant.format), None)


def _zeros_note(variant: Variant, was: Variant | None) -> str:
    facts = facts_of(variant)
    if facts is None or facts.sparsity is None or facts.sparsity < _MANY_ZEROS:
        return ""
    if variant.artifact is None or was is None or was.artifact is None:
        return ""
    now, before = _sizes(variant.artifact), _sizes(was.artifact)
    if now["size"] < _AS_LARGE * before["size"]:
        return ""
    of_size, of_download = (now[name] / before[name] for name in now)
    return (
        f"{variant.name} ({variant.format}): {facts.sparsity:.0%} of the weights are zero, and the "
        f"file is {of_size:.2f} of the float one: it stores zeros as any other weight; as an "
        f"update it is {of_download:.2f}"
    )
