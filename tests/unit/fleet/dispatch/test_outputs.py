"""A file that does not arrive says why, and the arm's figures stay."""

from pathlib import Path

import pytest
from trimtab.fleet.client import AgentClient
from trimtab.fleet.collect import JobCollector
from trimtab.fleet.dispatch.outputs import pull_outputs, raw_arm
from trimtab.fleet.jobs import ArmOutcome, ArmRequest, JobUpdate
from trimtab.fleet.ledger import DeviceLedger
from trimtab.records import Artifact, ArtifactFile, MeasurementSettings
from trimtab_protos.digest import Digest, digest_bytes
from trimtab_protos.errors import ArtifactMissing, InternalError, TrimtabError

ARTIFACT = Artifact("onnx", (ArtifactFile("m.onnx", Path("m.onnx"), digest_bytes(b"m")),), 1)
ARM = ArmRequest("a", ARTIFACT, MeasurementSettings(runtime="onnxruntime"))
FILE = digest_bytes(b"x")


def nothing() -> None:
    pass


class Forgetful(AgentClient):
    """A client of a device that no longer has what it named."""

    def __init__(self, error: TrimtabError | None = None) -> None:
        self.device = "pi5"
        self._error = error or ArtifactMissing(f"the device has no artifact {FILE}")

    async def find_missing(self, digests: object) -> set[Digest]:
        raise AssertionError("nothing is sent here")

    @property
    def channel(self) -> None:  # type: ignore[override]
        raise self._error


def collector(profile: Digest | None, unavailable: dict[str, str]) -> JobCollector:
    outcome = ArmOutcome(
        (), (), (), (), {}, {}, "cpu", "1", "", unavailable, (), (), 0, None, None, None, profile
    )
    found = JobCollector((ARM,))
    found.take(JobUpdate(1, arm="a", outcome=outcome))
    return found


def ledger(tmp_path: Path) -> DeviceLedger:
    (tmp_path / "outputs").mkdir()
    return DeviceLedger("pi5", tmp_path, lambda record, *, synced: None)


async def test_a_device_without_a_document_leaves_its_reason(tmp_path: Path) -> None:
    heard = collector(None, {"operator_profile": "the worker crashed"})
    kept = ledger(tmp_path)
    gone = await pull_outputs(Forgetful(), heard, "a", kept, nothing)
    raw = await raw_arm(heard, "a", kept, profiled=True, why_gone=gone)

    assert gone == ""
    assert raw.profile is not None
    assert raw.profile.unavailable == "the worker crashed"


async def test_a_document_that_is_gone_is_unavailable_with_the_devices_words(
    tmp_path: Path,
) -> None:
    heard, kept = collector(FILE, {}), ledger(tmp_path)
    gone = await pull_outputs(Forgetful(), heard, "a", kept, nothing)
    raw = await raw_arm(heard, "a", kept, profiled=True, why_gone=gone)

    assert raw.profile is not None
    assert raw.profile.operators == ()
    assert "the profile did not come back: the device has no artifact" in str(
        raw.profile.unavailable
    )


async def test_what_is_here_is_not_asked_for_again(tmp_path: Path) -> None:
    heard, kept = collector(FILE, {}), ledger(tmp_path)
    kept.output_path(FILE.sha256, ".json").write_text("x")

    assert await pull_outputs(Forgetful(), heard, "a", kept, nothing) == ""


async def test_what_another_try_may_bring_does_not_count_as_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.fleet.transfer._FIRST_PAUSE_S", 0.0)
    client = Forgetful(InternalError("incident 1"))
    with pytest.raises(InternalError):
        await pull_outputs(client, collector(FILE, {}), "a", ledger(tmp_path), nothing)
