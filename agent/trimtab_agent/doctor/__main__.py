"""``python -m trimtab_agent.doctor AGENT_PID ROOT STATE``: the examination, as JSON.

A process of its own: what examining imports would stay in a small board's memory for good.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from trimtab_agent.worker.lifeline import hold_on_to


def main() -> None:
    agent, root, state = sys.argv[1:]
    hold_on_to(int(agent))
    from trimtab_agent.doctor.examination import examine

    json.dump(asdict(examine(Path(root), Path(state))), sys.stdout)


if __name__ == "__main__":
    main()
