"""docs/sensors.md names what the tables hold, and its example is a probe."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from trimtab_agent.probes.base import Probe, SensorError
from trimtab_agent.probes.battery_calibration import COMMAND, FILE_NAME
from trimtab_agent.probes.board_rails import RAILS_BY_CHIP
from trimtab_agent.probes.own_roles import FILE_NAME as ROLES_FILE
from trimtab_agent.records import SensorRole

TEXT = (Path(__file__).parents[4] / "docs/sensors.md").read_text(encoding="utf-8")


def test_every_role_and_file_is_explained() -> None:
    for name in (*get_args(SensorRole), COMMAND, FILE_NAME, ROLES_FILE):
        assert name in TEXT


@pytest.mark.parametrize("chip", sorted(RAILS_BY_CHIP))
def test_every_rail_that_counts_is_named(chip: str) -> None:
    counted = {
        label for label, rail in RAILS_BY_CHIP[chip].items() if rail.role in {"total", "addend"}
    }
    assert {label for label in counted if not re.search(rf"\b{label}\b", TEXT)} == set()


def test_the_example_is_a_probe(tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    names: dict[str, Any] = {}
    exec(compile(example[1], "docs/sensors.md", "exec"), names)  # noqa: S102
    probe = names["ShuntProbe"]()
    assert isinstance(probe, Probe)
    (sensor,) = probe.discover(tmp_path)
    assert sensor.info.name.startswith(f"{probe.name}/")
    with pytest.raises(SensorError):
        sensor.read()
