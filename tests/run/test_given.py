import pytest

from stepforward.data.images import fit_image
from stepforward.errors import StepforwardError
from stepforward.run.given import class_list, classes_text, image_settings, image_text

RGB = (3, 4, 4)


def test_one_number_holds_for_every_channel_and_commas_continue_a_list():
    settings = image_settings("mean=0.5, std=0.1,0.2,0.3", RGB)
    assert settings["mean"] == [0.5, 0.5, 0.5]
    assert settings["std"] == [0.1, 0.2, 0.3]
    assert image_settings({"mean": 0.5, "std": [0.1, 0.2, 0.3]}, RGB) == settings


def test_a_scale_of_255_gives_the_pixels_themselves():
    import numpy as np

    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    x = fit_image(pixels, image_settings("scale=255", RGB))
    assert np.array_equal(x, np.moveaxis(pixels, -1, 0).astype(np.float32))
    shifted = fit_image(pixels, image_settings("scale=255,mean=10,20,30,std=2", RGB))
    assert np.allclose(shifted[1], (pixels[..., 1] - 20.0) / 2, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    ["", "mean=0.485,0.456,0.406,std=0.229,0.224,0.225", "scale=255", "std=0.3,fit=squash,levels=4095"],
)
def test_the_text_of_settings_reads_back_to_the_same(text):
    settings = image_settings(text or {}, RGB)
    assert image_settings(image_text(settings), RGB) == settings


@pytest.mark.parametrize(
    "text",
    [
        "0.5",
        "mean",
        "mean=a",
        "mean=0.5,0.5",
        "std=0",
        "scale=0",
        "mean=nan",
        "mean=0,mean=1",
        "size=3",
        "fit=none",
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(text):
    with pytest.raises(StepforwardError) as error:
        image_settings(text, RGB)
    assert error.value.remedy


def test_class_names_as_a_list_as_text_and_from_a_file(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("cat\ndog, wild\n\nfox\n", encoding="utf-8")
    names = ["cat", "dog, wild", "fox"]
    assert class_list(names) == class_list(classes_text(names)) == class_list(str(file)) == names


@pytest.mark.parametrize("names", ["", "cat,,dog", ["cat", "cat"], "cat,dog,cat"])
def test_empty_and_double_class_names_are_refused(names):
    with pytest.raises(StepforwardError):
        class_list(names)
