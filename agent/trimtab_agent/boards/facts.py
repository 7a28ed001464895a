"""What is known of the hardware beyond the fields of DeviceInfo, as short texts by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trimtab_agent.boards.accelerators import find_accelerators
from trimtab_agent.boards.bits import PYTHON_BITS, word_size
from trimtab_agent.boards.naming import name_board
from trimtab_agent.probes.commands import Runner, run_command


def hardware_facts(
    root: Path, run: Runner = run_command, python_bits: int = PYTHON_BITS
) -> Mapping[str, str]:
    """What does not apply is left out: a board that is not in the table has no ``board``."""
    name = name_board(root, run)
    facts = {
        "board": name.known.name if name.known else "",
        "board_soc": name.known.soc if name.known else "",
        "board_told_by": name.source,
        "board_power_sensor": name.known.power if name.known else "",
        "bits": str(word_size(root, python_bits)),
        "accelerators": "; ".join(str(each) for each in find_accelerators(root)),
    }
    return {fact: text for fact, text in facts.items() if text}
