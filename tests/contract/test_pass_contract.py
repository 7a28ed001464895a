"""What every compression pass keeps to, whoever wrote it."""

from pathlib import Path

import pytest
from trimtab import plugins
from trimtab.compress.passes import ArtifactPass, ModelPass, PassConfig, load_pass
from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.registry import GROUP

NEEDED = {"quantize": {"scheme": "static"}}  # settings without a default
NAMES = plugins.plugin_names(GROUP)


def test_built_in_passes_are_registered_like_any_other() -> None:
    assert "quantize" in NAMES


@pytest.mark.parametrize("name", NAMES)
class TestPassContract:
    def test_is_of_one_stage_and_has_its_registered_name(self, name: str) -> None:
        made = load_pass(name)
        assert made.name == name
        assert isinstance(made, ArtifactPass | ModelPass)
        assert made.stage == ("artifact" if isinstance(made, ArtifactPass) else "model")

    def test_every_setting_is_described(self, name: str) -> None:
        config = load_pass(name).config
        assert issubclass(config, PassConfig)
        assert all(field.description for field in config.model_fields.values())

    def test_settings_are_frozen_and_refuse_what_they_do_not_know(self, name: str) -> None:
        config = load_pass(name).config
        assert config.model_config["frozen"] is True
        assert config.model_config["extra"] == "forbid"

    def test_settings_as_a_project_writes_them_down_are_the_same(self, name: str) -> None:
        settings = load_pass(name).config.model_validate(NEEDED.get(name, {}))
        written = settings.model_dump(mode="json", exclude_none=True)
        assert type(settings).model_validate(written) == settings

    def test_ordering_is_data(self, name: str) -> None:
        made = load_pass(name)
        before = [type(load_pass(each)) for each in sorted(made.only_after)[:1]]
        assert made.order_problem(before) is None
        assert bool(made.order_problem([*before, type(made)])) is made.only_once
        for refused in (*made.never_after, *made.never_with):
            assert made.order_problem([*before, type(load_pass(refused))])

    def test_what_a_pipeline_turns_is_one_of_its_settings(self, name: str) -> None:
        made = load_pass(name)
        if made.dial is not None:
            for value in (made.dial.weakest, made.dial.strongest):
                made.config.model_validate({**NEEDED.get(name, {}), made.dial.setting: value})

    def test_missing_library_makes_it_unavailable_with_the_reason(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(load_pass(name)), "modules", ("not_installed_anywhere",))
        with pytest.raises(PassRejected, match=r"unavailable: not_installed_anywhere not install"):
            load_pass(name)


def test_unknown_pass_is_rejected() -> None:
    with pytest.raises(PassRejected, match="there is no pass prune-twice"):
        load_pass("prune-twice")


def test_plugin_that_cannot_be_imported_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "broken_pass-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-pass\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nbroken = broken_pass:Pass\n")
    (tmp_path / "broken_pass.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PassRejected, match="pass broken is unavailable: RuntimeError: no licence"):
        load_pass("broken")
