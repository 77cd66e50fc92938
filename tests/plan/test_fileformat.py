import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain import plain
from small import small_program

from stepforward.arithmetic.matching import Rule
from stepforward.core.bindings import PlanHandle, library
from stepforward.engines.core import aligned_bytes, open_plan, open_program
from stepforward.errors import StepforwardError
from stepforward.plan import fileformat
from stepforward.plan.make import plan_training
from stepforward.plan.matching import MatchingPlan, PlannedSite
from stepforward.plan.model import Mask

GOLDEN = Path(__file__).parents[1] / "golden"
PROGRAM = small_program(per_channel=True)
CHANGES = [{}, {"momentum": 0.9, "rounding": "stochastic"}, {"perturbation": "paper", "seed": 2**40 + 5}]
PLANS = [plan_training(PROGRAM, range(8), plain(steps=9, **changes)) for changes in CHANGES]
LOW = small_program("s4", per_channel=True)
LOW_PLAN = plan_training(LOW, range(8), plain(steps=9, momentum=0.9, low_bits="fraction-2"))
TAIL_PLAN = plan_training(PROGRAM, range(3, 8), plain(steps=9, momentum=0.9, tail="exact"))
CONTENT = fileformat.to_bytes(PLANS[1])


def status(content, of=PROGRAM):
    """What the core says of a plan, and the section that it does not know."""
    program, _file = open_program(of)
    plan, file = PlanHandle(), aligned_bytes(len(content))
    file[:] = memoryview(content)
    code = library().sf_plan_open(plan, program, file.ctypes.data, file.size)
    return library().sf_status_text(code).decode(), plan.unknown


def sealed(content):
    content = bytearray(content)
    struct.pack_into("<2I", content, 8, len(content), zlib.crc32(content[16:]))
    return bytes(content)


def with_section(kind, version, words):
    """The plan with one more section after those before it."""
    count = struct.unpack_from("<I", CONTENT, 16)[0]
    at = 20
    for _ in range(count):
        if struct.unpack_from("<I", CONTENT, at)[0] > kind:
            break
        at += 12 + struct.unpack_from("<I", CONTENT, at + 8)[0]
    section = struct.pack(f"<{3 + len(words)}I", kind, version, 4 * len(words), *words)
    return sealed(CONTENT[:16] + struct.pack("<I", count + 1) + CONTENT[20:at] + section + CONTENT[at:])


MATCHING = MatchingPlan(
    (PlannedSite(0, (100, 50), (-5,) * 6, (7,) * 6), PlannedSite(4, (1, 2**31 - 1), (3,) * 3, (0, 1, 2))),
    window=64,
)
TOGETHER = plan_training(LOW, range(8), plain(steps=9, directions=3, low_bits="accumulate-5"))


@pytest.mark.parametrize("plan", [*PLANS, LOW_PLAN, TOGETHER, TAIL_PLAN, MATCHING])
def test_a_plan_comes_back_whole(plan, tmp_path):
    fileformat.save(plan, tmp_path / "plan.sft")
    assert fileformat.load(tmp_path / "plan.sft") == plan


def test_the_core_reads_what_python_writes():
    handle, _file = open_program(PROGRAM)
    plan, _plan_file = open_plan(handle, PLANS[1])
    assert (plan.state_bytes, plan.elements) == (PLANS[1].state_bytes, PLANS[1].elements)
    assert (plan.loss_mult, plan.loss_shift) == (PLANS[1].objective.mult, PLANS[1].objective.shift)


def test_the_core_reads_a_plan_that_matches():
    assert [op.name for op in PROGRAM.ops][4] == "point"
    handle, _file = open_program(PROGRAM)
    plan, _plan_file = open_plan(handle, MATCHING)
    assert (plan.state_bytes, plan.match_bytes) == (MATCHING.state_bytes, MATCHING.state_bytes)
    assert (plan.site_count, plan.match_window, plan.trainable_count) == (2, 64, 0)


@pytest.mark.parametrize("rule", [Rule(prior=0), Rule(prior=4097), Rule(slight=512), Rule(caution=4097)])
def test_a_rule_has_limits(rule):
    content = fileformat.to_bytes(replace(MATCHING, rule=rule))
    assert status(content)[0] == "the training plan is not valid"
    with pytest.raises(StepforwardError, match="damaged"):
        fileformat.from_bytes(content)


def test_a_plan_trains_or_matches():
    words = fileformat.SECTIONS["matching"].write(MATCHING)
    content = with_section(11, 1, list(words))
    assert status(content)[0] == "the training plan is not valid"
    with pytest.raises(StepforwardError, match="contradict"):
        fileformat.from_bytes(content)


def words_of(content, kind):
    """Where the words of a section begin, and how many there are."""
    at = 20
    while (found := struct.unpack_from("<3I", content, at))[0] != kind:
        at += 12 + found[2]
    return at + 12, found[2] // 4


def test_fractions_lie_after_the_momentum():
    momentum, fractions = LOW_PLAN.state
    assert (momentum.first, momentum.bytes) == (0, 2 * LOW_PLAN.elements)
    assert (fractions.kind, fractions.first) == ("fractions", -(-momentum.bytes // 4) * 4)
    weights = [t for t in LOW.parameters if t.dtype == "s4"]
    assert fractions.bytes == sum(-(-2 * t.elements // 8) for t in weights) > 0
    handle, _file = open_program(LOW)
    plan, _plan_file = open_plan(handle, LOW_PLAN)
    assert (plan.fractions_first, plan.fractions_bytes) == fractions[1:]
    assert plan.state_bytes == LOW_PLAN.state_bytes


@pytest.mark.parametrize("change", [1, 3, 5, 6, 7, 16, 2**31, 0xFFFFFFFF])
@pytest.mark.parametrize("word", range(8))
def test_fraction_bits_that_cannot_be_are_refused(word, change):
    content = bytearray(fileformat.to_bytes(LOW_PLAN))
    first, count = words_of(content, 9)
    assert count == 9
    struct.pack_into("<I", content, first + 4 + 4 * word, change)
    assert status(sealed(content), LOW)[0] in (
        "the training plan is not valid",
        "the training plan belongs to another program",
    )
    with pytest.raises(StepforwardError, match="damaged"):
        fileformat.from_bytes(sealed(content))


@pytest.mark.parametrize("word", range(8))
@pytest.mark.parametrize("change", [0, 1, 2, 3, 4, 1000, 2**31, 0xFFFFFFFF])
def test_parts_of_the_state_that_do_not_fit_are_refused(word, change):
    content = bytearray(fileformat.to_bytes(LOW_PLAN))
    first, count = words_of(content, 7)
    assert count == 8
    if struct.unpack_from("<I", content, first + 4 * word)[0] != change:
        struct.pack_into("<I", content, first + 4 * word, change)
        assert status(sealed(content), LOW)[0] != "ok"
        with pytest.raises(StepforwardError, match="damaged"):
            fileformat.from_bytes(sealed(content))


def test_fractions_without_any_or_below_weights_of_16_bits_are_refused():
    content = bytearray(fileformat.to_bytes(LOW_PLAN))
    first, count = words_of(content, 9)
    content[first + 4 : first + 4 * count] = bytes(4 * count - 4)
    assert status(sealed(content), LOW)[0] == "the training plan is not valid"
    assert status(with_section(9, 1, [1, 8] + [0] * 7))[0] == "the training plan belongs to another program"


def test_the_state_holds_the_votes_of_steps_that_move_the_weights_together():
    handle, _file = open_program(LOW)
    plan, _plan_file = open_plan(handle, TOGETHER)
    assert (plan.accumulate, plan.held_first, plan.held_bytes, plan.state_bytes) == (5, 0, 15, 15)
    assert [tuple(part) for part in TOGETHER.state] == [("held votes", 0, 15)]


@pytest.mark.parametrize("change", [0, 1, 4, 6, 256, 2**31, 0xFFFFFFFF])
def test_another_number_of_such_steps_is_refused(change):
    content = bytearray(fileformat.to_bytes(TOGETHER))
    first, _ = words_of(content, 9)
    struct.pack_into("<I", content, first, change)
    assert status(sealed(content), LOW)[0] == "the training plan is not valid"
    with pytest.raises(StepforwardError, match="damaged"):
        fileformat.from_bytes(sealed(content))


def test_the_state_holds_the_sums_of_the_tail():
    handle, _file = open_program(PROGRAM)
    plan, _plan_file = open_plan(handle, TAIL_PLAN)
    momentum, tail = TAIL_PLAN.state
    assert (momentum.kind, momentum.bytes) == ("momentum", 2 * TAIL_PLAN.voted_elements)
    assert (tail.kind, tail.bytes) == ("tail", 4 + 4 * 52 + 8 * TAIL_PLAN.tail.inputs)
    assert (plan.voted_count, plan.tail_first, plan.tail_bytes) == (3, tail.first, tail.bytes)
    assert plan.state_bytes == TAIL_PLAN.state_bytes


@pytest.mark.parametrize(
    "word, change", [(0, 0), (0, 2**32 - 1), (1, 0), (1, 1), (1, 3), (2, 15), (2, 2**31)]
)
def test_a_tail_that_is_not_the_last_layer_is_refused(word, change):
    content = bytearray(fileformat.to_bytes(TAIL_PLAN))
    first, _ = words_of(content, 10)
    struct.pack_into("<I", content, first + 4 * word, change)
    assert status(sealed(content))[0] in (
        "the training plan is not valid",
        "the training plan belongs to another program",
    )


MASKED = [
    plan_training(PROGRAM, range(8), plain(steps=9, sparsity=0.5, mask=mask, tail="exact"))
    for mask in ("random", "magnitude")
]
BITS = replace(
    plan_training(PROGRAM, [6], plain(steps=9)),
    trainable=(
        replace(
            plan_training(PROGRAM, [6], plain(steps=9)).trainable[0],
            mask=Mask("bits", (0xFFFFFFFF, 2**16 - 1)),
        ),
    ),
)


@pytest.mark.parametrize("plan", [*MASKED, BITS])
def test_masks_come_back(plan):
    assert fileformat.from_bytes(fileformat.to_bytes(plan)) == plan
    handle, _file = open_program(PROGRAM)
    opened, _plan_file = open_plan(handle, plan)
    assert opened.mask_count == len(plan.voted)


@pytest.mark.parametrize("plan", [*MASKED, BITS])
@pytest.mark.parametrize("change", [-1, 1, 2, 7, 2**16, 2**31])
def test_masks_of_another_model_are_refused(plan, change):
    """Every word of the records; a threshold or a share may be any in range."""
    content = bytearray(fileformat.to_bytes(plan))
    first, _ = words_of(content, 6)
    for word in range(1 + 4 * len(plan.voted)):
        changed = bytearray(content)
        given = struct.unpack_from("<I", content, first + 4 * word)[0]
        struct.pack_into("<I", changed, first + 4 * word, (given + change) % 2**32)
        if plan is MASKED[0] and word % 4 == 2 and change in (1, 2):
            continue  # one word may as well be a threshold, or bits
        assert status(sealed(changed))[0] in (
            "the training plan is not valid",
            "the training plan belongs to another program",
        )
        with pytest.raises(StepforwardError, match="damaged"):
            fileformat.from_bytes(sealed(changed))


@pytest.mark.parametrize(
    "plan, value", [(MASKED[0], 0), (MASKED[0], 65536), (MASKED[1], 2**31 + 1), (BITS, 2**31)]
)
def test_the_last_word_of_masks_out_of_range_is_refused(plan, value):
    content = bytearray(fileformat.to_bytes(plan))
    first, count = words_of(content, 6)
    struct.pack_into("<I", content, first + 4 * (count - 1), value)
    assert status(sealed(content))[0] == "the training plan belongs to another program"
    with pytest.raises(StepforwardError, match="damaged"):
        fileformat.from_bytes(sealed(content))


GUIDED = plan_training(PROGRAM, range(8), plain(steps=9, guide=0.5, tail="exact", momentum=0.5))


def test_a_guide_is_the_last_part_of_the_state():
    handle, _file = open_program(PROGRAM)
    plan, _plan_file = open_plan(handle, GUIDED)
    assert [part.kind for part in GUIDED.state] == ["momentum", "tail", "guide"]
    assert (plan.guide_share, plan.drawn_share) == GUIDED.guide == (16384, 28378)
    assert (plan.guide_first, plan.guide_bytes) == tuple(GUIDED.state[2][1:])
    assert plan.guide_bytes == GUIDED.voted_elements
    assert fileformat.from_bytes(fileformat.to_bytes(GUIDED)) == GUIDED


@pytest.mark.parametrize("word", [0, 1])
@pytest.mark.parametrize("change", [0, 32769, 2**31, 2**32 - 1])
def test_shares_of_a_guide_out_of_range_are_refused(word, change):
    content = bytearray(fileformat.to_bytes(GUIDED))
    first, _ = words_of(content, 13)
    struct.pack_into("<I", content, first + 4 * word, change)
    assert status(sealed(content))[0] == "the training plan is not valid"
    with pytest.raises(StepforwardError, match="damaged"):
        fileformat.from_bytes(sealed(content))


SHARP = plan_training(PROGRAM, range(8), plain(steps=9, sharpness=3))


def test_sharpness_comes_back():
    handle, _file = open_program(PROGRAM)
    plan, _plan_file = open_plan(handle, SHARP)
    assert plan.sharpness == 3 and fileformat.from_bytes(fileformat.to_bytes(SHARP)) == SHARP


@pytest.mark.parametrize("change", [0, 128, 2**31, 2**32 - 1])
def test_a_sharpness_out_of_range_is_refused(change):
    content = bytearray(fileformat.to_bytes(SHARP))
    first, _ = words_of(content, 14)
    struct.pack_into("<I", content, first, change)
    assert status(sealed(content))[0] == "the training plan is not valid"
    with pytest.raises(StepforwardError, match="damaged"):
        fileformat.from_bytes(sealed(content))


ADAM = plan_training(PROGRAM, range(8), plain(steps=9, optimizer="adam", momentum=0.9, guide=0.1))


def test_mean_squares_are_the_last_part_of_the_state():
    handle, _file = open_program(PROGRAM)
    plan, _plan_file = open_plan(handle, ADAM)
    assert [part.kind for part in ADAM.state] == ["momentum", "guide", "squares"]
    assert (plan.decay, plan.squares_first, plan.squares_bytes) == (7, ADAM.state[2].first, 4 * ADAM.elements)
    assert plan.state_bytes == ADAM.state_bytes
    assert fileformat.from_bytes(fileformat.to_bytes(ADAM)) == ADAM


@pytest.mark.parametrize("change", [0, 17, 2**31, 2**32 - 1])
def test_a_decay_out_of_range_is_refused(change):
    content = bytearray(fileformat.to_bytes(ADAM))
    first, _ = words_of(content, 15)
    struct.pack_into("<I", content, first, change)
    assert status(sealed(content))[0] == "the training plan is not valid"
    with pytest.raises(StepforwardError, match="damaged"):
        fileformat.from_bytes(sealed(content))


def test_a_plan_of_an_old_version_is_refused_with_what_makes_a_new_one():
    content = (GOLDEN / "plan_2.sft").read_bytes()
    assert status(content) == ("a format version this code does not know", 0)
    with pytest.raises(StepforwardError, match="format version 2; this release reads version 3") as error:
        fileformat.from_bytes(content, "plan.sft")
    assert "plan_training" in error.value.remedy


@pytest.mark.parametrize(
    ("kind", "version", "named"),
    [(11, 2, r"section 11 \(matching\), version 2"), (19, 1, r"section 19 \(of a later release\)")],
)
def test_a_section_that_is_not_known_is_named(kind, version, named):
    content = with_section(kind, version, [0])
    assert status(content) == ("the file needs a feature or a section that this code does not know", kind)
    with pytest.raises(StepforwardError, match=named):
        fileformat.from_bytes(content)


def test_a_later_version_of_a_section_is_named():
    content = bytearray(CONTENT)
    struct.pack_into("<I", content, 24, 2)
    assert status(sealed(content))[1] == 1
    with pytest.raises(StepforwardError, match=r"section 1 \(objective\), version 2"):
        fileformat.from_bytes(sealed(content))


def test_another_objective_is_not_known():
    content = bytearray(CONTENT)
    struct.pack_into("<I", content, 32, 2)
    assert status(sealed(content))[1] == 1
    with pytest.raises(StepforwardError, match="damaged"):
        fileformat.from_bytes(sealed(content))


def test_a_missing_section_is_refused():
    size = 12 + struct.unpack_from("<I", CONTENT, 28)[0]
    count = struct.unpack_from("<I", CONTENT, 16)[0] - 1
    content = sealed(CONTENT[:16] + struct.pack("<I", count) + CONTENT[20 + size :])
    assert status(content)[0] == "the training plan is not valid"
    with pytest.raises(StepforwardError, match="damaged"):
        fileformat.from_bytes(content)


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(position, flip):
    changed = bytearray(CONTENT)
    changed[position] ^= flip
    with pytest.raises(StepforwardError, match="plan"):
        fileformat.from_bytes(bytes(changed))


@given(st.integers(0, len(CONTENT) - 1))
def test_a_truncated_file_is_refused(length):
    with pytest.raises(StepforwardError):
        fileformat.from_bytes(CONTENT[:length])
