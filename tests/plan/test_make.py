import math
from dataclasses import replace

import pytest
from plain import plain
from small import small_program

from stepforward.arithmetic.tables import DELTA_Z
from stepforward.engines.core import open_plan, open_program
from stepforward.errors import StepforwardError
from stepforward.plan.make import fitting, for_training, plan_training, with_forms
from stepforward.plan.quanta import quanta


def test_scalers_are_the_real_ratios():
    program = small_program(per_channel=True)
    plan = plan_training(program, [0, 1], plain(steps=10, epsilon=2e-3, lr=5e-4, directions=3))
    for entry in plan.trainable:
        scales = program.tensors[entry.tensor].scale
        for i, scale in enumerate(scales):
            probe = entry.perturb_mult[i] / 2 ** entry.perturb_shift[i]
            step = entry.update_mult[i] / 2 ** entry.update_shift[i]
            assert math.isclose(probe, 2e-3 * DELTA_Z / scale, rel_tol=1e-4)
            assert math.isclose(step, 5e-4 * DELTA_Z / scale / 3, rel_tol=1e-4)


def test_the_first_operator_and_the_elements_follow_the_trainable_set():
    program = small_program()
    everything = plan_training(program, range(8), plain(steps=1))
    head = plan_training(program, [6, 7], plain(steps=1, momentum=0.9))
    assert (everything.first_op, everything.state_bytes) == (0, 0)
    assert (head.first_op, head.elements, head.state_bytes) == (6, 52, 104)
    assert everything.elements == sum(t.elements for t in program.parameters)


def test_the_momentum_buffer_cannot_saturate_on_a_constant_gradient():
    plan = plan_training(small_program(), [0], plain(steps=1, momentum=0.9, directions=4))
    assert 4 * 127 * 2**plan.momentum_bits * 10 <= 32768 * 1.001


@pytest.mark.parametrize("dtype", ["s8", "s4"])
def test_fraction_bits_make_probe_and_step_finer(dtype):
    program = small_program(dtype, per_channel=True)
    rough = plan_training(program, range(8), plain(steps=10))
    plan = plan_training(program, range(8), plain(steps=10, low_bits="fraction-4"))
    assert plan.state_bytes > rough.state_bytes == 0
    for entry, other in zip(plan.trainable, rough.trainable, strict=True):
        below = 4 if program.tensors[entry.tensor].dtype == dtype else 0
        assert entry.fraction_bits == below
        assert entry.perturb_shift == tuple(shift - below for shift in other.perturb_shift)
        assert entry.update_mult == other.update_mult


@pytest.mark.parametrize(("dtype", "trained"), [("s16", range(8)), ("s8", [1, 3])])
@pytest.mark.parametrize("form", ["fraction-8", "accumulate-16"])
def test_forms_of_low_bit_weights_are_refused_where_none_moves(dtype, trained, form):
    with pytest.raises(StepforwardError, match="no weight that moves has 8 or 4 bits"):
        plan_training(small_program(dtype), trained, plain(steps=10, low_bits=form))


def test_graded_votes_move_as_far_as_signs_at_one_deviation():
    program = small_program()
    signs, graded = (
        plan_training(program, [0], plain(steps=1, votes=votes, directions=3)) for votes in ("sign", "graded")
    )
    assert quanta(program, signs) == quanta(program, graded)
    assert graded.trainable[0].update_shift[0] == signs.trainable[0].update_shift[0] + 3
    assert (signs.state_bytes, graded.state_bytes) == (0, 8)
    bits = plan_training(
        program, [0], plain(steps=1, votes="graded", directions=1, momentum=0.9)
    ).momentum_bits
    assert 24 * 127 * 2**bits * 10 <= 32768


@pytest.mark.parametrize(
    ("dtype", "trained", "form"),
    [
        ("s8", [0, 1], "master"),
        ("s8", [1], "direct"),
        ("s8", range(8), "master-2"),
        ("s4", [6], "master-2"),
        ("s8", [1, 7], "direct"),
        ("s16", [0, 1], "direct"),
    ],
)
def test_the_form_of_low_bit_weights_follows_from_what_moves(dtype, trained, form):
    program, automatic = small_program(dtype), plain(steps=9, low_bits="auto")
    assert with_forms(program, trained, automatic).low_bits == form
    assert with_forms(program, trained, plain(steps=9, low_bits="direct")).low_bits == "direct"
    made = for_training(program, trained, automatic)
    assert made == for_training(program, trained, plain(steps=9, low_bits=form))


@pytest.mark.parametrize(
    ("dtype", "trained", "settings", "tail"),
    [
        ("s16", range(8), {}, "exact"),
        ("s16", [6], {}, "exact"),
        ("s16", range(6), {}, "votes"),
        ("s16", [5, 7], {}, "votes"),  # a bias alone
        ("s16", range(8), {"perturbation": "paper"}, "votes"),
        ("s16", range(8), {"batch": 10**8}, "votes"),
        ("s16", range(8), {"sizes": "relative"}, "exact"),
        ("s8", range(8), {}, "votes"),
        ("s8", range(8), {"low_bits": "accumulate-16"}, "votes"),
        ("s8", range(8), {"low_bits": "fraction-2"}, "exact"),
        ("s4", range(8), {"low_bits": "auto"}, "exact"),
    ],
)
def test_an_automatic_tail_is_exact_where_the_last_layer_can_take_it(dtype, trained, settings, tail):
    program, automatic = small_program(dtype), plain(steps=9, tail="auto", **settings)
    found = with_forms(program, trained, automatic)
    assert found.tail == tail
    assert for_training(program, trained, automatic) == for_training(program, trained, found)
    assert (for_training(program, trained, found)[1].tail is not None) == (tail == "exact")


@pytest.mark.parametrize("dtype", ["s8", "s4"])
def test_an_exact_tail_of_low_bit_weights_needs_a_form_that_keeps_its_moves(dtype):
    with pytest.raises(StepforwardError, match=f"weights of {dtype[1:]} bits, which lose every move"):
        for_training(small_program(dtype), range(8), plain(steps=9, tail="exact"))
    assert for_training(small_program(dtype), [7], plain(steps=9, tail="exact"))[1].tail.count == 1


def test_quanta_say_when_nothing_moves():
    program = small_program("s8")
    coarse = quanta(program, plan_training(program, [0], plain(steps=1, epsilon=1e-3)))
    fine = quanta(small_program(), plan_training(small_program(), [0], plain(steps=1, epsilon=1e-3)))
    assert coarse["stem.weight"][0] < 0.5 < fine["stem.weight"][0]


@pytest.mark.parametrize("share_batch", [False, True])
def test_the_file_says_whether_directions_share_the_batch(share_batch):
    program = small_program()
    plan = plan_training(program, range(8), plain(steps=1, directions=4, share_batch=share_batch))
    handle, _file = open_program(program)
    opened, _plan_file = open_plan(handle, plan)
    assert (opened.share_batch, opened.directions) == (share_batch, 4)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": math.nan}, "epsilon"),
        ({"lr": -1.0}, "lr = "),
        ({"directions": 256}, "directions"),
        ({"momentum": 1.0}, "momentum"),
        ({"seed": -1}, "seed"),
        ({"schedule": "step"}, "schedule"),
        ({"warmup": 11}, "warmup"),
        ({"steps": 0}, "steps"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"share_batch": 1}, "share_batch"),
    ],
)
def test_a_setting_out_of_range_is_named(changes, named):
    with pytest.raises(StepforwardError, match=named):
        plain(**{"steps": 10, **changes})


def test_an_epsilon_that_leaves_the_arithmetic_names_the_tensor():
    with pytest.raises(StepforwardError, match=r"too large for stem\.weight"):
        plan_training(small_program(), [0], plain(steps=1, epsilon=9.0, lr=99.0, directions=1))


def test_nothing_trainable_is_refused():
    with pytest.raises(StepforwardError, match="no tensor is trainable"):
        plan_training(small_program(), [], plain(steps=1))


def test_a_frozen_tensor_is_refused():
    program = small_program()
    tensors = (replace(program.tensors[0], frozen=True), *program.tensors[1:])
    program = replace(program, tensors=tensors)
    plan_training(program, range(1, 8), plain(steps=1))
    with pytest.raises(StepforwardError, match=r"stem\.weight is frozen"):
        plan_training(program, [0], plain(steps=1))


def test_a_share_of_a_tensor_that_leaves_the_arithmetic_names_it():
    with pytest.raises(StepforwardError, match=r"too large for stem\.bias, in shares of its size"):
        plan_training(small_program(), [1], plain(steps=1, sizes="relative", lr=99.0, directions=1))


@pytest.mark.parametrize("perturbation", ["exact", "paper"])
def test_fitting_lowers_shares_to_what_a_plan_takes(perturbation):
    asked = plain(steps=1, sizes="relative", epsilon=9.0, lr=99.0, directions=1, perturbation=perturbation)
    plan_training(small_program(), range(8), fitting(small_program(), range(8), asked))
