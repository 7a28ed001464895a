"""The agent of this machine, started by the host as a process of its own."""

from pathlib import Path

import pytest
from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.local import local_agent


async def start(state: Path) -> str:
    async with local_agent(state) as address:
        return address


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_an_agent_that_cannot_start_says_why_in_words(
    log_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_LOG_FORMAT", log_format)
    state = tmp_path / "state"
    state.write_text("a file where its folder belongs")

    with pytest.raises(DeviceUnreachable) as caught:
        await start(state)

    reason = str(caught.value)
    assert reason.startswith("the local agent did not start: ")
    assert str(state) in reason
    assert "{" not in reason
    assert "Traceback" not in reason


async def test_two_at_once_are_told_apart(tmp_path: Path) -> None:
    async with local_agent(tmp_path / "state"):
        with pytest.raises(DeviceUnreachable, match="another trimtab is measuring"):
            await start(tmp_path / "state")
