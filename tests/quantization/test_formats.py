import pytest

from stepforward.errors import StepforwardError
from stepforward.quantization.formats import QuantizationSettings


@pytest.mark.parametrize("text", ["16w8a", "8w8a", "4w8a"])
def test_bits_round_trip(text):
    settings = QuantizationSettings.parse(text)
    assert str(settings) == text
    assert settings.channelwise == (text != "16w8a")
    assert QuantizationSettings.parse(text, per_channel=True).channelwise


@pytest.mark.parametrize("text", ["", "16", "w8a", "16w16a", "2w8a", "8a8w", "16w8a!"])
def test_other_bits_are_refused(text):
    with pytest.raises(StepforwardError) as caught:
        QuantizationSettings.parse(text)
    assert "8" in caught.value.remedy


@pytest.mark.parametrize("change", [{"method": "magic"}, {"percentile": 20}, {"logits_bits": 4}])
def test_other_settings_are_refused(change):
    with pytest.raises(StepforwardError, match=next(iter(change))):
        QuantizationSettings(**change)
