import numpy as np
import pytest
from small import small_program

from stepforward.errors import StepforwardError
from stepforward.plan.make import plan_training
from stepforward.plan.masks import plan_masks
from stepforward.plan.sizes import quantum
from stepforward.program.weights import unpack
from stepforward.settings import Settings

PROGRAM = small_program("s8", per_channel=True)


def masks(program=PROGRAM, voted=range(8), **settings):
    return plan_masks(program, voted, Settings(steps=9, **settings))


def real_sizes(program, index, sizes):
    """Of each row its largest and smallest weights, in the units of epsilon."""
    weights = np.abs(unpack(program.tensors[index], program.weights))
    grid = np.array(quantum(program, index, sizes))
    return weights, grid


def test_without_sparsity_everything_moves():
    assert masks() == {}
    assert plan_training(PROGRAM, range(8), Settings(steps=9)).trainable[0].mask is None


@pytest.mark.parametrize("sizes", ["absolute", "relative", "kernel"])
def test_magnitude_keeps_the_largest_of_each_tensor(sizes):
    found = masks(sparsity=0.9, sizes=sizes)
    for index in (0, 6):
        weights, grid = real_sizes(PROGRAM, index, sizes)
        rows = (
            weights.reshape(len(grid), -1) if PROGRAM.tensors[index].channel_rule == "divide" else weights.T
        )
        least = np.array(found[index].words).reshape(-1, 1)
        rows = rows.reshape(len(grid), -1)
        scaled = rows * grid.reshape(-1, 1)
        moving = rows >= least
        assert scaled[moving].min() >= scaled[~moving].max(initial=0)
        assert moving.sum() >= round(0.1 * rows.size) > 0


def test_a_threshold_is_one_for_all_tensors():
    program = small_program()
    found = masks(program, sparsity=0.8, mask="threshold", sizes="relative")
    sizes = [
        np.abs(unpack(program.tensors[i], program.weights)) * quantum(program, i, "relative")[0]
        for i in range(8)
    ]
    moving = [np.abs(unpack(program.tensors[i], program.weights)) >= found[i].words[0] for i in range(8)]
    least = min(size[m].min() for size, m in zip(sizes, moving, strict=True) if m.any())
    most = max(size[~m].max() for size, m in zip(sizes, moving, strict=True) if not m.all())
    assert least >= most
    total = sum(m.size for m in moving)
    assert abs(sum(int(m.sum()) for m in moving) - 0.2 * total) < 0.01 * total


@pytest.mark.parametrize("mask", ["random", "threshold", "magnitude"])
def test_a_sparsity_that_leaves_nothing_is_refused_by_name(mask):
    with pytest.raises(
        StepforwardError, match=rf"sparsity = 0.9999999 with mask = '{mask}' leaves nothing of"
    ):
        masks(sparsity=0.9999999, mask=mask)


@pytest.mark.parametrize("mask", ["random", "threshold", "magnitude"])
def test_almost_no_sparsity_leaves_almost_everything(mask):
    assert masks(sparsity=1e-9, mask=mask).keys() == set(range(8))


def test_the_tail_has_no_mask():
    plan = plan_training(
        PROGRAM, range(8), Settings(steps=9, sparsity=0.5, tail="exact", low_bits="fraction-8")
    )
    assert [entry.mask is None for entry in plan.trainable] == [False] * 6 + [True] * 2
