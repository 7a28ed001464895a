from pathlib import Path

from trimtab.fleet.ledger.event_file import EventFile, read_events

EVENTS = [b"one", b"", b"\x00" * 300, b"four"]


def written(path: Path) -> bytes:
    with EventFile(path) as events:
        for event in EVENTS:
            events.append(event)
        events.sync()
    return path.read_bytes()


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    written(tmp_path / "a.bin")

    assert list(read_events(tmp_path / "a.bin")) == EVENTS
    assert list(read_events(tmp_path / "none.bin")) == []


def test_every_cut_keeps_the_whole_events_and_is_written_on_from_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    whole = written(path)
    for size in range(0, len(whole), 3):
        path.write_bytes(whole[:size])
        kept = list(read_events(path))
        with EventFile(path) as events:
            events.append(b"next")

        assert kept == EVENTS[: len(kept)]
        assert list(read_events(path)) == [*kept, b"next"]


def test_a_flipped_bit_ends_what_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    whole = bytearray(written(path))
    whole[8] ^= 1  # in the first event's own bytes
    path.write_bytes(bytes(whole))

    assert list(read_events(path)) == []
