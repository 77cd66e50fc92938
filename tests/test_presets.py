import pytest
from typer.testing import CliRunner

from stepforward.cli.main import app
from stepforward.errors import StepforwardError
from stepforward.methods.table import METHODS
from stepforward.presets import PRESETS, options_of, with_preset
from stepforward.settings import DECIDING, Settings
from stepforward.verbs.adapt import adapt


def test_a_preset_leaves_no_setting_that_decides_weights_to_a_default():
    named = PRESETS["paper"].keys()
    assert set(DECIDING) - named == {"runtime", "seed"}
    assert set(METHODS["qzo-ff"].takes) - named == {"minutes", "memory"}


def test_the_paper_s_own_settings():
    settings = Settings(**with_preset("paper", {}))
    assert (settings.directions, settings.share_batch, settings.votes) == (3, False, "sign")
    assert (settings.perturbation, settings.rounding, settings.epsilon) == ("paper", "floor", 1e-3)


def test_what_is_given_counts_instead():
    assert with_preset("paper", {"lr": 1e-4})["lr"] == 1e-4
    assert Settings(**with_preset("paper", {"minutes": 2})).steps == 0
    assert with_preset(None, {"lr": 1e-4}) == {"lr": 1e-4}


def test_other_sizes_leave_its_absolute_numbers_out():
    found = Settings(**with_preset("paper", {"sizes": "relative"}))
    assert (found.epsilon, found.lr) == (Settings().epsilon, Settings().lr)
    assert found.automatic == ("epsilon", "lr")
    given = Settings(**with_preset("paper", {"sizes": "relative", "lr": 0.05}))
    assert (given.automatic, given.lr) == (("epsilon",), 0.05)
    assert with_preset("paper", {"sizes": "absolute"})["epsilon"] == 1e-3


def test_another_word_is_refused():
    with pytest.raises(StepforwardError, match="preset = 'papers'") as error:
        adapt("model.onnx", "data", preset="papers")
    assert "paper" in error.value.remedy


def test_the_help_says_what_it_sets():
    wide = CliRunner().invoke(app, ["adapt", "--help"], env={"COLUMNS": "2000", "TERMINAL_WIDTH": "2000"})
    assert "--whole-batch" in options_of("paper") and "--no-balance" in options_of("paper")
    assert options_of("paper").replace(" ", "") in "".join(wide.output.split())
