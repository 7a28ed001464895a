"""A profile that does not arrive says why, and the result stays."""

from pathlib import Path

from trimtab.fleet.client import AgentClient
from trimtab.fleet.profile import pull_profile
from trimtab_protos.digest import Digest, digest_bytes
from trimtab_protos.errors import ArtifactMissing


class Forgetful(AgentClient):
    """A client of a device that no longer has what it named."""

    def __init__(self) -> None:
        pass

    async def download(self, digest: Digest, target: Path) -> None:
        raise ArtifactMissing(f"the device has no artifact {digest}")


async def test_a_device_without_a_document_leaves_its_reason(tmp_path: Path) -> None:
    profile = await pull_profile(Forgetful(), None, tmp_path, "the worker crashed")
    assert profile.unavailable == "the worker crashed"


async def test_a_document_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    profile = await pull_profile(Forgetful(), digest_bytes(b"x"), tmp_path, "")
    assert profile.operators == ()
    assert "the profile did not come back: the device has no artifact" in str(profile.unavailable)
