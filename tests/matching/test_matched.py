"""The matched program: nothing moves on the samples of the reference, and a shift of the data is taken back."""

from dataclasses import replace

import numpy as np
import pytest
from small import small_network

from stepforward.arithmetic.matching import ONE, RULE, Constants, Sums, moments, standardize
from stepforward.engines.protocol import Batch
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.matching.matched import match, matched, remaining
from stepforward.matching.measure import references, site_sums
from stepforward.matching.online import Online
from stepforward.matching.sites import bias_of, opened, sites
from stepforward.matching.words import from_words, to_words


@pytest.fixture(params=[("s16", False), ("s8", True)], ids=str)
def program(request):
    return lower(small_network(*request.param))


def samples(program, count=64, shift=0, spread=40.0):
    shape = program.tensors[program.input].shape
    values = np.random.default_rng(3).normal(shift, spread, (count, *shape))
    return np.clip(np.rint(values), -128, 127).astype(np.int8)


def test_sites_are_all_operators_with_weights_but_the_logits(program):
    parametric = [op.name for op in program.ops if op.parameters]
    assert [site.name for site in sites(program)] == parametric[:-1]


def test_an_opened_program_gives_standardized_accumulators(program):
    """On the core and by the definition: the accumulators themselves, rounded once."""
    x, known = samples(program, 5), references(program, samples(program))
    for site in sites(program):
        reference = known[site.name]
        shown = opened(program, site, reference.mean, reference.shift)
        raw = opened(program, site, 0 * reference.mean, 0 * reference.shift)
        plain = ReferenceEngine(raw).outputs(Batch.of(x))[0].reshape(len(x), site.positions, site.channels)
        got = ReferenceEngine(shown).outputs(Batch.of(x))[0].reshape(plain.shape)
        whole = np.abs(plain) < 32767  # the others were clamped
        assert (got == standardize(plain, reference))[whole].all()
        sums = site_sums(program, site, reference.mean, reference.shift, x).total()
        assert sums.samples == 5
        assert sums.first.tolist() == got.sum(axis=(0, 1)).tolist()
        assert sums.second.tolist() == (got.astype(np.int64) ** 2).sum(axis=(0, 1)).tolist()


def test_the_reference_itself_moves_nothing(program):
    x = samples(program)
    known = references(program, x)
    found = match(program, known, x)
    assert {one.share for one in found} == {0}
    assert matched(program, {one.site.name: one.constants for one in found}).weights == program.weights


def test_what_moved_comes_back(program):
    known = references(program, samples(program))
    off = samples(program, shift=30, spread=12.0)
    found = match(program, known, off)
    assert any(one.share for one in found)
    before, after = remaining(program, found, off)
    assert after < before / 2
    first = found[0]
    sums = site_sums(program, first.site, first.reference.mean, first.reference.shift, off).total()
    assert isinstance(sums, Sums) and first.distances > (0, 0)
    assert moments(sums, first.reference, first.site.positions).mean.any()


def test_it_is_the_same_with_any_number_of_threads(program):
    known, off = references(program, samples(program)), samples(program, shift=30)
    one, two = (match(program, known, off, threads) for threads in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.constants.ratio, b.constants.ratio)
        assert np.array_equal(a.constants.bias, b.constants.bias)


def test_constants_of_one_change_nothing(program):
    same = {s.name: Constants(np.full(s.channels, ONE), bias_of(program, s)) for s in sites(program)}
    again, x = matched(program, same), samples(program, 7)
    assert again.weights == program.weights
    got, wanted = (ReferenceEngine(p).outputs(Batch.of(x))[0] for p in (again, program))
    assert np.array_equal(got, wanted)


def test_constants_must_fit(program):
    with pytest.raises(ValueError, match="no site 'x'"):
        matched(program, {"x": Constants(np.array([ONE]), np.array([0]))})
    site = sites(program)[0]
    with pytest.raises(ValueError, match="channels"):
        matched(program, {site.name: Constants(np.array([ONE]), np.array([0]))})


def test_a_weight_of_several_operators_is_no_site(program):
    first, *rest = program.ops
    shared = replace(program, ops=(first, *rest, replace(rest[-1], weight=first.weight)))
    assert first.name not in [site.name for site in sites(shared)]


def test_words_and_back(program):
    known = references(program, samples(program))
    words = to_words(known, 64)
    back = from_words(words, program, "m")
    assert all(np.array_equal(back[n].mean, known[n].mean) for n in known)
    assert all(back[n].distances == known[n].distances for n in known)


@pytest.mark.parametrize(
    "change",
    [
        lambda site: site.update(mean=[0]),
        lambda site: site["mean"].__setitem__(0, 2**31),
        lambda site: site["deviation"].__setitem__(0, -1),
        lambda site: site["deviation"].__setitem__(0, True),
        lambda site: site.update(distances=[0, 1]),
        lambda site: site.pop("distances"),
    ],
)
def test_damaged_words_are_refused(program, change):
    words = to_words(references(program, samples(program)), 64)
    change(next(iter(words["sites"].values())))
    with pytest.raises(StepforwardError, match=r"statistics in m .* do not fit"):
        from_words(words, program, "m")


def test_no_words_name_the_command(program):
    with pytest.raises(StepforwardError) as error:
        from_words({}, program, "m")
    assert "stepforward quantize MODEL --data SOURCE_DATA" in str(error.value)


def test_one_batch_layer_by_layer_is_a_matching(program):
    off = samples(program, shift=30)
    known = {n: one._replace(patches=None) for n, one in references(program, samples(program)).items()}
    found = {one.site.name: one.constants for one in match(program, known, off)}
    online = Online(program, known, rule=RULE)
    online.see(off)
    assert online.program == matched(program, found)
    online.reset()
    assert online.program is program
