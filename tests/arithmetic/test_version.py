"""The number of the arithmetic belongs to its bits: whoever changes a bit has to change the number."""

import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np

from stepforward.arithmetic.directions import sample_order
from stepforward.arithmetic.distributions import DISTRIBUTIONS
from stepforward.arithmetic.version import ARITHMETIC
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.make import plan_training
from stepforward.plan.model import TrainingPlan
from stepforward.program import fileformat
from stepforward.settings import PERTURBATIONS, ROUNDINGS, SCHEDULES, Settings

GOLDEN = Path(__file__).parent.parent / "golden" / "arithmetic_1"

DIGESTS = {1: "11817d10767dd3eba961270a5874dcf29a7dbb4e475ca3a7adbc971912851c0f"}
"""SHA-256 of what this file computes, by version of the arithmetic. A line is added, never changed."""

PLAIN = {"epsilon": 0.02, "lr": 0.03, "directions": 1, "seed": 0, "momentum": 0.0, "distribution": "normal"}
PLAIN |= {"perturbation": "exact", "rounding": "nearest", "schedule": "cosine", "warmup": 0}
PLAIN |= {"share_batch": False, "temperature": 1.0, "votes": "sign", "sizes": "absolute", "tail": "votes"}
PLAIN |= {"low_bits": "direct"}  # spelled out: defaults may change, bits may not
RUNS = [
    ("s16", 5, {}),
    ("s16", 5, {"directions": 3, "seed": 2**40 + 5, "momentum": 0.9, "rounding": "stochastic", "warmup": 2}),
    ("s16", 5, {"directions": 2, "distribution": "rademacher", "perturbation": "paper", "rounding": "floor"}),
    ("s16", 5, {"directions": 4, "distribution": "binomial", "schedule": "linear", "share_batch": True}),
    ("s8", 4, {"directions": 2, "schedule": "constant", "temperature": 2.0}),
    ("s4", 4, {"directions": 2, "seed": 7, "rounding": "stochastic"}),
    ("moves", 4, {"directions": 2, "momentum": 0.5, "schedule": "linear"}),
]


def plan_2(plan: TrainingPlan) -> bytes:
    """The plan as version 2 of its file had it: digests outlive formats. The objective was the program's then."""
    entries, scalers = [], []
    for t in plan.trainable:
        entries.append((t.tensor, len(scalers), len(t.perturb_mult), t.first_element))
        scalers += zip(t.perturb_mult, t.perturb_shift, t.update_mult, t.update_shift, strict=True)
    words = [
        *(plan.seed & 0xFFFFFFFF, plan.seed >> 32, plan.directions),
        *(DISTRIBUTIONS.index(plan.distribution), PERTURBATIONS.index(plan.perturbation)),
        *(ROUNDINGS.index(plan.rounding), plan.momentum, plan.momentum_bits),
        *(SCHEDULES.index(plan.schedule), plan.steps, plan.warmup),
        *(len(entries), len(scalers), plan.first_op, *plan.z_rescale, int(plan.share_batch)),
        *(value for row in (*entries, *scalers) for value in row),
    ]
    body = struct.pack(f"<{len(words)}I", *words)
    return struct.pack("<4s3I", b"SFT1", 2, 16 + len(body), zlib.crc32(body)) + body


def computed() -> str:
    """A digest of plans, losses, votes, weights and logits over programs that hold every operator."""
    digest = hashlib.sha256()
    for name, steps, changes in RUNS:
        settings = Settings(steps=steps, **PLAIN | changes)
        program = fileformat.load(GOLDEN / f"{name}.sfp")
        plan = plan_training(program, range(program.parameter_count), settings)
        digest.update(plan_2(plan))
        count = np.prod((6, *program.tensors[program.input].shape))
        x = (np.arange(count) ** 3 % 251 - 125).astype(np.int8)
        x, y = x.reshape(6, *program.tensors[program.input].shape), np.arange(6, dtype=np.int32) % 4
        engine = ReferenceEngine(program, plan)
        for step in qzo_ff(
            engine, lambda _, s=(x, y): Batch.of(*s), range(steps), plan.directions, plan.share_batch
        ):
            digest.update(repr((step.number, step.votes, step.losses)).encode())
        digest.update(engine.snapshot().weights + logits_of(engine, x).astype("<i4").tobytes())
    digest.update(sample_order(3, 1, 1000).astype("<i8").tobytes())
    return digest.hexdigest()


def test_the_bits_are_those_of_the_version():
    assert computed() == DIGESTS[ARITHMETIC], (
        "the arithmetic changed: put that right, or add one to ARITHMETIC, add the digest here, and say in "
        "docs/decisions.md what becomes of old journals"
    )


def test_the_document_says_the_same_version():
    title = (Path(__file__).parents[2] / "docs" / "arithmetic.md").read_text().splitlines()[0]
    assert title == f"# The arithmetic contract, version {ARITHMETIC}"
