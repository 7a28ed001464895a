"""LiteRT's delegates: by name, from libraries that the owner allowed; one is loaded for real."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from trimtab_agent.runtimes.base import AcceleratorMissing, ModelRefused, RuntimeOptions
from trimtab_agent.runtimes.litert import LiteRt
from trimtab_agent.runtimes.litert_delegates import (
    VARIABLE,
    DelegateSettingError,
    delegates,
    parse_delegate,
)
from trimtab_agent.worker.inputs import random_inputs

# A delegate that takes no operator: the beginning of TfLiteDelegate (lite/core/c/common.h)
# is all that is asked of it.
_SOURCE = r"""
#include <stdint.h>
#include <string.h>
struct Delegate {
  void* data;
  int (*prepare)(void*, struct Delegate*);
  void *copy_from, *copy_to, *free_buffer;
  int64_t flags;
  void* opaque;
};
static int take_nothing(void* context, struct Delegate* self) { return 0; }
static struct Delegate delegate = {0, take_nothing, 0, 0, 0, 0, 0};
void* tflite_plugin_create_delegate(char** keys, char** values, unsigned long count,
                                    void (*report)(const char*)) {
  for (unsigned long i = 0; i < count; i++)
    if (!strcmp(keys[i], "device") && !strcmp(values[i], "pci")) {
      report("no device on the PCI bus");
      return 0;
    }
  return &delegate;
}
void tflite_plugin_destroy_delegate(void* delegate) {}
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make a delegate with")
    source, target = tmp_path / "nothing.c", tmp_path / "libnothing.so"
    source.write_text(_SOURCE)
    command = [compiler, "-shared", "-fPIC", "-o", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return target


def test_a_delegate_whose_library_is_not_there_says_so_and_is_not_listed() -> None:
    info = LiteRt().availability()
    assert info.accelerators == ("cpu",)
    assert "libedgetpu.so.1: cannot open shared object file" in info.absent_accelerators["edgetpu"]
    assert set(info.absent_accelerators) >= {"edgetpu", "gpu", "nnapi", "qnn"}


def test_asking_for_it_all_the_same_gives_the_reason(shared_data: Path) -> None:
    model = shared_data / "models" / "resnet8_fp32.tflite"
    with pytest.raises(AcceleratorMissing, match=r"libedgetpu\.so\.1.*libedgetpu1-std"):
        LiteRt().load(model, RuntimeOptions("edgetpu", options={"device": "usb"}))


def test_a_library_of_the_owners_is_loaded_and_what_it_took_is_told(
    monkeypatch: pytest.MonkeyPatch, library: Path, shared_data: Path
) -> None:
    monkeypatch.setenv(VARIABLE, f"mine={library}")
    runtime = LiteRt()
    assert runtime.availability().accelerators == ("cpu", "mine")
    session = runtime.load(
        shared_data / "models" / "resnet8_fp32.tflite", RuntimeOptions(accelerator="mine")
    )
    session.bind(random_inputs(session.inputs, {}, 0))
    session.run()
    assert session.accelerator_used == "cpu"
    assert set(session.placement()) == {"cpu (built-in)"}
    assert session.placement()["cpu (built-in)"]["CONV_2D"] == 9
    (warning,) = session.warnings
    assert warning.startswith("16 of 16 operators run elsewhere than on mine: 9 CONV_2D")
    session.close()


def test_a_delegate_that_refuses_to_be_made_is_quoted(
    monkeypatch: pytest.MonkeyPatch, library: Path, shared_data: Path
) -> None:
    monkeypatch.setenv(VARIABLE, f"edgetpu={library}")
    model = shared_data / "models" / "resnet8_fp32.tflite"
    with pytest.raises(AcceleratorMissing, match=r"cannot be set up here: .*no device on the PCI"):
        LiteRt().load(model, RuntimeOptions("edgetpu", options={"device": "pci"}))


def test_options_are_the_delegates_own(shared_data: Path) -> None:
    model = shared_data / "models" / "resnet8_fp32.tflite"
    for options in ({"xnnpack": "on"}, {"library": "/usr/lib/evil.so"}):
        with pytest.raises(ModelRefused, match="no option"):
            LiteRt().load(model, RuntimeOptions("edgetpu", options=options))
    with pytest.raises(ModelRefused, match="device='/dev/null'"):
        LiteRt().load(model, RuntimeOptions("edgetpu", options={"device": "/dev/null"}))


@pytest.mark.parametrize(
    "text", ["x.so", "=/x.so", "cpu=/x.so", "Edge TPU=/x.so", "mine=x.so", "mine=/a:/b"]
)
def test_what_is_no_name_and_file_is_refused(text: str) -> None:
    with pytest.raises(DelegateSettingError):
        parse_delegate(text)


def test_an_owners_file_keeps_the_options_of_the_known_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "qnn=/opt/qnn/libQnnTFLiteDelegate.so")
    assert delegates()["qnn"].library == "/opt/qnn/libQnnTFLiteDelegate.so"
    assert delegates()["qnn"].fixed == {"backend_type": "htp"}
