"""Early convolutions get weights for inputs that vary together otherwise."""

import numpy as np
import pytest
from small import small_network

from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.matching.matched import match, matched, remaining
from stepforward.matching.measure import references
from stepforward.matching.patches import windows
from stepforward.matching.sites import sites, weight_of
from stepforward.matching.words import from_words, to_words


@pytest.fixture(scope="module")
def program():
    return lower(small_network("s8", True))


def smooth(program, count=64):
    """Samples, of which neighbours are alike."""
    height, width, channels = program.tensors[program.input].shape
    white = np.random.default_rng(3).normal(0, 40, (count, height + 2, width + 2, channels))
    mean = sum(white[:, y : y + height, x : x + width] for y in range(3) for x in range(3)) / 3
    return np.clip(np.rint(mean), -128, 127).astype(np.int8)


def rough(program, count=64):
    """Samples, of which neighbours have nothing in common."""
    shape = program.tensors[program.input].shape
    return np.clip(np.rint(np.random.default_rng(4).normal(20, 40, (count, *shape))), -128, 127).astype(
        np.int8
    )


@pytest.fixture(scope="module")
def known(program):
    return references(program, smooth(program))


def test_early_convolutions_with_small_weights_are_mixed(program):
    assert list(windows(program)) == ["stem"]
    assert windows(lower(small_network("s16", False))) == {}


def test_inputs_that_vary_otherwise_lead_to_other_weights(program, known):
    found = match(program, known, rough(program))
    first = found[0]
    assert first.share == 256 and first.start.weights is not None
    assert not np.array_equal(first.constants.weights, weight_of(program, first.site))
    assert all(one.constants.weights is None for one in found[1:])
    before, after = remaining(program, found, rough(program))
    assert after < before / 2
    whole = matched(program, {one.site.name: one.constants for one in found})
    assert np.array_equal(weight_of(whole, sites(whole)[0]), first.constants.weights)


def test_samples_of_the_reference_leave_the_weights(program, known):
    found = match(program, known, smooth(program))
    assert all(one.constants.weights is None for one in found)


def test_it_is_the_same_with_any_number_of_threads(program, known):
    one, two = (match(program, known, rough(program), threads)[0].constants for threads in (1, 2))
    assert np.array_equal(one.weights, two.weights) and np.array_equal(one.bias, two.bias)


def test_weights_of_another_size_do_not_fit(program, known):
    first = match(program, known, rough(program))[0]
    with pytest.raises(ValueError, match="another number of weights"):
        matched(program, {first.site.name: first.constants._replace(weights=np.zeros(3, np.int64))})


def test_words_and_back(program, known):
    back = from_words(to_words(known, 64), program, "m")["stem"].patches
    for given, got in zip(known["stem"].patches, back, strict=True):
        assert np.array_equal(given, got)


@pytest.mark.parametrize(
    "change",
    [
        lambda patches: patches.update(mean=[0]),
        lambda patches: patches["unit"].__setitem__(0, 0),
        lambda patches: patches.update(lags="x"),
        lambda patches: patches.update(lags=patches["lags"][4:]),
        lambda patches: patches.update(lags="/38" + patches["lags"][3:]),
        lambda patches: patches.pop("lags"),
    ],
)
def test_damaged_words_are_refused(program, known, change):
    words = to_words(known, 64)
    change(words["sites"]["stem"]["patches"])
    with pytest.raises(StepforwardError, match=r"patches of 'stem'"):
        from_words(words, program, "m")


def test_patches_of_a_site_that_is_not_mixed_are_not_read(program, known):
    """A model from before, or with later layers of fewer bits, still matches its channels."""
    odd = {name: one._replace(patches=known["stem"].patches) for name, one in known.items()}
    assert [one.patches is not None for one in from_words(to_words(odd, 64), program, "m").values()] == [
        True, False, False,
    ]  # fmt: skip
