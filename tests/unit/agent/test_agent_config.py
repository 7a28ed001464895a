"""What may be bound, and by whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from trimtab_agent.config import (
    ConfigError,
    LoopbackAddress,
    NetworkAddress,
    StateLock,
    UnixAddress,
    default_state_dir,
    metrics_address,
    parse_listen,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/a.sock", UnixAddress(Path("/run/a.sock"))),
        ("127.0.0.1:50051", LoopbackAddress("127.0.0.1", 50051)),
        ("127.8.9.1:0", LoopbackAddress("127.8.9.1", 0)),
        ("localhost:1", LoopbackAddress("localhost", 1)),
        ("[::1]:50051", LoopbackAddress("[::1]", 50051)),
    ],
)
def test_sockets_and_loopback_are_taken(text: str, address: object) -> None:
    parsed = parse_listen(text)
    assert parsed == address
    assert str(parsed) == text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("0.0.0.0:1", "--identity"),
        ("[::]:1", "loopback"),
        ("10.0.0.1:1", "loopback"),
        ("board.local:1", "loopback"),
        ("127.0.0.1", "unix:PATH"),
        ("127.0.0.1:port", "unix:PATH"),
        ("127.0.0.1:70000", "65535"),
        ("unix:", "path"),
        ("unix:/" + "d" * 120, "shorter"),
        ("", "unix:PATH"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word) as caught:
        parse_listen(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["0.0.0.0:7433", "[::]:1", "board.local:1", "127.0.0.1:0"])
def test_with_an_identity_any_address_is_served_with_tls(text: str) -> None:
    parsed = parse_listen(text, has_identity=True)
    assert isinstance(parsed, NetworkAddress)
    assert str(parsed) == text


def test_an_identity_that_would_not_be_used_is_refused() -> None:
    with pytest.raises(ConfigError, match="in the clear"):
        parse_listen("unix:/run/a.sock", has_identity=True)


def test_a_state_folder_has_one_agent_at_a_time(tmp_path: Path) -> None:
    held = StateLock(tmp_path)
    refused = pytest.raises(ConfigError, match="another trimtab-agent")
    with held, refused, StateLock(tmp_path):
        pass
    with StateLock(tmp_path):
        pass


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="--state"), StateLock(tmp_path / "file" / "state"):
        pass


def test_the_state_folder_follows_the_desktops_convention(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default_state_dir() == Path("/somewhere/trimtab-agent")
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", "/home/pi")
    assert default_state_dir() == Path("/home/pi/.local/state/trimtab-agent")


def test_figures_in_the_clear_stay_on_loopback() -> None:
    assert metrics_address("127.0.0.1", None) is None
    assert str(metrics_address("127.0.0.1", 9433)) == "127.0.0.1:9433"
    with pytest.raises(ConfigError, match="on a loopback address alone"):
        metrics_address("0.0.0.0", 9433)  # noqa: S104
