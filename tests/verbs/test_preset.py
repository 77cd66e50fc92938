from stepforward.presets import with_preset
from stepforward.verbs.adapt import adapt


def test_a_run_by_preset_is_the_run_of_its_settings(task, tmp_path):
    named = adapt(task.model, task.data, out=tmp_path / "a", preset="paper", steps=8, directions=1)
    spelt = adapt(
        task.model, task.data, out=tmp_path / "b", **with_preset("paper", {"steps": 8, "directions": 1})
    )
    assert named["weights_sha256"] == spelt["weights_sha256"]
    assert (tmp_path / "a" / "journal").read_bytes() == (tmp_path / "b" / "journal").read_bytes()
    assert (named.settings["directions"], named.settings["perturbation"]) == (1, "paper")
