"""Saliency masks: what probes say, and every engine that trains by them."""

import numpy as np
import pytest
import small
from alike import trained
from plain import plain

from stepforward.arithmetic.saliency import FIRST_STEP
from stepforward.engines.core import CoreEngine
from stepforward.errors import StepforwardError
from stepforward.plan import fileformat
from stepforward.plan.make import for_training, plan_training
from stepforward.plan.masks import masked
from stepforward.program.weights import unpack_all
from stepforward.run.saliency import masks_of, seek

SETTINGS = {
    "steps": 40,
    "directions": 3,
    "sparsity": 0.75,
    "mask": "saliency",
    "sizes": "relative",
    "votes": "graded",
}
FRACTIONS = {"low_bits": "fraction-4"}


def moved(program, weights):
    before, after = unpack_all(program), unpack_all(program, weights)
    return sum(int((before[index] != after[index]).sum()) for index in before)


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("changes", [{}, {"momentum": 0.9, "guide": 0.3}, {"tail": "exact"}], ids=str)
def test_every_engine_trains_the_salient_weights_alone(dtype, changes):
    program = small.small_program(dtype, per_channel=dtype != "s16")
    settings = plain(
        **SETTINGS | {"lr": 0.3, "epsilon": 0.1} | (FRACTIONS if dtype != "s16" else {}) | changes
    )
    found = seek(program, range(8), settings, small.samples(program, 12))
    assert len(found.votes) == 2 * 3  # one step for every 20
    trained_program, plan = for_training(program, range(8), settings)
    plan = masked(plan, found.masks)
    assert fileformat.from_bytes(fileformat.to_bytes(plan)) == plan
    weights = trained(trained_program, plan)
    share = found.told.moving / plan.voted_elements
    assert 0.25 <= share < 0.3
    assert 0 < moved(program, weights) <= found.told.moving + plan.elements - plan.voted_elements


def test_probes_cost_two_passes_each_over_a_share():
    program = small.small_program("s16")
    found = seek(program, range(8), plain(**SETTINGS), small.samples(program, 12))
    assert found.told.forward_passes == 2 * 2 * 12


def test_probes_see_neither_guide_nor_climb():
    program, settings = small.small_program("s16"), plain(**SETTINGS | {"guide": 0.5, "sharpness": 2})
    x, y = small.samples(program, 12)
    without = plain(**SETTINGS)
    assert seek(program, range(8), settings, (x, y)).votes == seek(program, range(8), without, (x, y)).votes


def test_another_mask_and_a_last_layer_by_its_gradient_take_no_probes():
    program = small.small_program("s16")
    samples = small.samples(program, 12)
    for changes in ({"mask": "random"}, {"sparsity": 0.0}):
        assert seek(program, range(8), plain(**SETTINGS | changes), samples) == ((), {}, None)
    assert seek(program, [6, 7], plain(**SETTINGS, tail="exact"), samples).told is None


def test_a_sparsity_that_leaves_nothing_is_refused_by_name():
    program = small.small_program("s16")
    settings = plain(**SETTINGS | {"sparsity": 0.99999})
    with pytest.raises(
        StepforwardError, match=r"sparsity = 0\.99999 with mask = 'saliency' leaves nothing of"
    ):
        seek(program, range(8), settings, small.samples(program, 12))


def test_probes_that_say_nothing_leave_nothing():
    program, settings = small.small_program("s16"), plain(**SETTINGS)
    with pytest.raises(StepforwardError, match="leaves nothing of"):
        masks_of(plan_training(program, range(8), settings), settings, [0] * 6)


def test_probes_are_steps_that_no_run_takes():
    program, settings = small.small_program("s16"), plain(**SETTINGS)
    engine = CoreEngine(program, plan_training(program, range(8), settings))
    assert engine.plan.steps < FIRST_STEP


def test_masks_of_a_tensor_have_a_bit_for_each_weight():
    program, settings = small.small_program("s16"), plain(**SETTINGS)
    plan = plan_training(program, range(8), settings)
    masks = masks_of(plan, settings, [3, -1, 8])
    for entry in plan.voted:
        elements = program.tensors[entry.tensor].elements
        words = np.array(masks[entry.tensor].words, dtype=np.uint64)
        assert len(words) == -(-elements // 32) and int(words[-1]) >> ((elements - 1) % 32) <= 1
