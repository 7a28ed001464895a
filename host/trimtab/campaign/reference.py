"""``--reference FILE``: a model to measure beside the others, or its outputs in an .npz."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trimtab.artifact_files import artifact_from_file
from trimtab.campaign.fleet import Campaign
from trimtab.campaign.plan import Candidate
from trimtab.measure.accuracy import CannotScore, Outputs, load_outputs
from trimtab.measure.agreement import Reference
from trimtab.records import UserError


def with_reference(campaign: Campaign, path: Path) -> Campaign:
    """The campaign whose arms are also compared with the reference.

    Raises UserError without real inputs: random ones, outside what the model was made for, are
    rounded away by an integer input and say nothing of agreement.
    """
    inputs = campaign.evaluation or campaign.inputs
    if inputs is None:
        raise UserError(
            "--reference: the outputs are compared on real inputs, and none were given",
            "give --eval FILE.npz (inputs and labels) or --inputs FILE.npz",
        )
    reference, candidates = _read(path, campaign.candidates)
    return replace(campaign, candidates=candidates, evaluation=inputs, reference=reference)


def _read(path: Path, candidates: Sequence[Candidate]) -> tuple[Reference, tuple[Candidate, ...]]:
    if path.suffix.lower() == ".npz":
        return Reference(path.name, outputs=_outputs(path)), tuple(candidates)
    artifact = artifact_from_file(path)
    reference = Reference(path.name, artifact.sha256)
    if any(each.artifact.sha256 == artifact.sha256 for each in candidates):
        return reference, tuple(candidates)
    return reference, (Candidate(artifact, is_reference=True), *candidates)


def _outputs(path: Path) -> Outputs:
    if not path.is_file():
        raise UserError(f"{path}: no such file", "name a model file, or an .npz of its outputs")
    try:
        outputs = load_outputs(path)
    except CannotScore as error:
        raise UserError(
            f"{path}: not an .npz of plain arrays",
            "write it with numpy.savez(FILE, OUTPUT_NAME=array), samples on the first axis",
        ) from error
    if not outputs:
        raise UserError(f"{path}: no outputs in it", "one array an output, by the output's name")
    return outputs
