import pytest
from small import small_program

from stepforward.program.arena import ALIGNMENT, arena_floor, lifetimes, plan_arena

CUTS = range(len(small_program().ops))


@pytest.mark.parametrize("cut", CUTS)
def test_tensors_alive_together_never_share_bytes(cut):
    program = plan_arena(small_program(), cut)
    spans = lifetimes(program, cut)
    for a, (first_a, last_a) in spans.items():
        for b, (first_b, last_b) in spans.items():
            if a < b and first_a <= last_b and first_b <= last_a:
                ta, tb = program.tensors[a], program.tensors[b]
                assert ta.offset + ta.bytes <= tb.offset or tb.offset + tb.bytes <= ta.offset


@pytest.mark.parametrize("cut", CUTS)
def test_the_plan_is_aligned_inside_the_arena_and_near_the_floor(cut):
    program = plan_arena(small_program(), cut)
    for index in lifetimes(program, cut):
        tensor = program.tensors[index]
        assert tensor.offset % ALIGNMENT == 0 and tensor.offset + tensor.bytes <= program.arena_bytes
    assert arena_floor(program, cut) <= program.arena_bytes <= arena_floor(program, cut) + 4 * ALIGNMENT


def test_what_the_repeated_operators_read_stays_alive():
    program = small_program()
    spans = lifetimes(program, cut=2)
    assert spans[program.ops[0].output][1] == spans[program.ops[1].output][1] == len(program.ops) - 1


def test_training_everything_needs_the_arena_of_inference():
    assert plan_arena(small_program(), cut=0) == small_program()


@pytest.mark.parametrize("cut", CUTS)
def test_working_memory_begins_after_what_is_alive(cut):
    program = plan_arena(small_program(), cut)
    spans = lifetimes(program, cut)
    for position, op in enumerate(program.ops):
        alive = [program.tensors[i] for i, (first, last) in spans.items() if first <= position <= last]
        end = max(tensor.offset + tensor.bytes for tensor in alive)
        assert op.work == (-(-end // ALIGNMENT) * ALIGNMENT if op.parameters else 0)
