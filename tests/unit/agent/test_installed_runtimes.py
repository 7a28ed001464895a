"""Runtimes whose libraries take seconds to import say what they are without importing them."""

import subprocess
import sys
from pathlib import Path

import pytest
from trimtab_agent.runtimes import executorch, installed, openvino, torch
from trimtab_agent.runtimes.base import ModelRefused, Runtime, RuntimeMissing, RuntimeOptions

SLOW_TO_IMPORT = ("executorch", "openvino", "torch")
DESCRIBE = """
import sys
from trimtab_agent.runtimes.registry import create_runtime
info = create_runtime(sys.argv[1]).availability()
assert info.version and not info.unavailable_reason, info
print(sorted({"torch", "executorch", "openvino", "numpy"} & set(sys.modules)))
"""


@pytest.mark.parametrize("name", SLOW_TO_IMPORT)
def test_saying_what_it_is_imports_nothing(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE, name], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "runtime", [executorch.ExecuTorch(), openvino.OpenVino(), torch.TorchRuntime()]
)
def test_a_library_that_is_not_installed_is_named_with_the_extra(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    reason = runtime.availability().unavailable_reason
    assert reason == (
        f"{runtime.name} is not installed (pip install 'trimtab-agent[{runtime.name}]')"
    )


def test_a_library_that_is_there_and_broken_fails_when_it_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "executorch.extension.pybindings", None)
    assert executorch.ExecuTorch().availability().unavailable_reason == ""
    with pytest.raises(RuntimeMissing, match="executorch cannot be imported: "):
        executorch.ExecuTorch().import_library()


def test_intels_accelerators_are_told_from_their_device_files(tmp_path: Path) -> None:
    assert openvino.possible_accelerators(tmp_path) == ("cpu",)
    for number, vendor in enumerate(("0x10de", "0x8086")):
        card = tmp_path / f"sys/class/drm/renderD{128 + number}/device"
        card.mkdir(parents=True)
        (card / "vendor").write_text(f"{vendor}\n")
        has_gpu = vendor == "0x8086"
        assert ("gpu" in openvino.possible_accelerators(tmp_path)) is has_gpu
    (tmp_path / "dev/accel").mkdir(parents=True)
    (tmp_path / "dev/accel/accel0").touch()
    assert openvino.possible_accelerators(tmp_path) == ("cpu", "gpu", "npu")


def test_a_file_that_can_run_code_is_not_even_opened_where_its_owner_did_not_allow_it(
    tmp_path: Path,
) -> None:
    missing = tmp_path / "m.pt2"
    with pytest.raises(ModelRefused, match=r"can run any code .* --allow-code-in-models") as caught:
        torch.TorchRuntime().load(missing, RuntimeOptions())
    assert "\n" not in str(caught.value)
