import pytest
from plain import plain
from small import small_program, wide_program

from stepforward.core.bindings import DEVICE_ROWS, library
from stepforward.engines.core import open_plan, open_program
from stepforward.journal import STEPS_PER_RECORD
from stepforward.memory import backprop_bytes, memory, multiply_accumulates
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
def test_weights_and_scratch(dtype):
    program = small_program(dtype)
    result = memory(program, plan_training(program, range(8), plain(steps=1)))
    assert result.weight_bytes == len(program.weights)
    assert result.scratch_bytes_training == program.arena_bytes + result.row_tile_bytes
    assert result.scratch_bytes_training >= result.scratch_bytes_inference > program.arena_bytes
    assert result.other_ram["momentum buffer"] == 0


def test_inference_alone_has_no_room_for_staged_weights_of_16_bits():
    for dtype in ("s16", "s8"):
        program = wide_program(dtype)
        result = memory(program, plan_training(program, range(6), plain(steps=1)))
        training, inference = result.scratch_bytes_training, result.scratch_bytes_inference
        assert training > inference if dtype == "s16" else training == inference


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("trained", [range(8), range(0, 8, 2), [6, 7], [1, 5]])
def test_a_device_holds_what_the_core_asks_for(dtype, trained):
    program = small_program(dtype)
    plan = plan_training(program, trained, plain(steps=9, momentum=0.9, directions=3))
    handle, _file = open_program(plan_arena(program, plan.first_op))
    opened, _plan_file = open_plan(handle, plan)
    result = memory(program, plan)
    held = {name.split(" (")[0]: count for name, count in result.other_ram.items()}
    assert held["trainable weights"] == opened.weights_bytes <= len(program.weights)
    assert held["momentum buffer"] == opened.state_bytes
    assert held["journal buffer"] == library().sf_journal_buffer_bytes(3, STEPS_PER_RECORD)
    assert held["one input sample, if not in flash"] == handle.input_bytes
    assert result.scratch_bytes_training == library().sf_scratch_bytes(handle, 1, DEVICE_ROWS)


def test_momentum_costs_two_bytes_per_trainable_parameter():
    program = small_program()
    plan = plan_training(program, [6, 7], plain(steps=1, momentum=0.9))
    other = memory(program, plan).other_ram
    assert other["momentum buffer"] == 2 * plan.elements == 2 * (12 * 4 + 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam"},
        {"guide": 0.5},
        {"votes": "graded", "momentum": 0.5},
        {"low_bits": "accumulate-4"},
    ],
    ids=str,
)
def test_every_part_of_the_state_has_a_line(changes):
    program = small_program("s8")
    plan = plan_training(program, range(8), plain(steps=9, **changes))
    other = memory(program, plan).other_ram
    assert all(part.bytes in other.values() for part in plan.state) and plan.state


def test_multiplications_of_each_operator():
    program = small_program()
    counts = {op.name: multiply_accumulates(program, op) for op in program.ops if op.parameters}
    assert counts == {"stem": 20 * 108, "depthwise": 20 * 54, "point": 4 * 18, "head": 48}


def test_backprop_keeps_more_the_earlier_it_trains():
    program = small_program()
    head, everything = (plan_training(program, chosen, plain(steps=1)) for chosen in ([6, 7], range(8)))
    assert 0 < backprop_bytes(program, head) < backprop_bytes(program, everything)
