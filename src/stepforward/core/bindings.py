"""The C core's shared library through ctypes: the declarations of `include/stepforward_host.h` and `stepforward.h`."""

import ctypes
import importlib.util
import os
from ctypes import POINTER, c_char_p, c_int, c_int8, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_void_p
from functools import cache

from stepforward.errors import StepforwardError

INTERFACE = 23  # SF_INTERFACE
DEVICE_ROWS = 4
BAD_LABEL = 14  # SF_BAD_LABEL
SHA256_BYTES = 32


class ProgramHandle(ctypes.Structure):
    """`sf_program`."""

    _fields_ = (
        *[(name, c_void_p) for name in ("file", "tensors", "ops", "constants")],
        *[
            (name, c_uint32)
            for name in (
                *("file_bytes", "tensor_count", "op_count", "constant_count", "parameter_count"),
                *("weights_offset", "weights_bytes", "metadata_offset", "metadata_bytes"),
                *(
                    "input",
                    "output",
                    "arena_bytes",
                    "cut",
                    "classes",
                    "input_bytes",
                    "unknown",
                ),
            )
        ],
    )


class PlanHandle(ctypes.Structure):
    """`sf_plan`."""

    _fields_ = (
        ("trainables", c_void_p),
        ("scalers", c_void_p),
        ("seed", ctypes.c_uint64),
        *[
            (name, c_uint32)
            for name in (
                *(
                    "trainable_count",
                    "scaler_count",
                    "directions",
                    "distribution",
                    "perturbation",
                    "rounding",
                ),
                *("beta", "fraction_bits", "schedule", "steps", "warmup", "first_step", "first_op"),
                *("delta_mult", "delta_shift", "share_batch"),
                *("elements", "objective", "loss_mult", "loss_shift"),
                *("weights_bytes", "state_bytes", "momentum_first", "momentum_bytes"),
            )
        ],
        ("weight_fractions", c_void_p),
        *[(name, c_uint32) for name in ("fractions_first", "fractions_bytes")],
        *[(name, c_uint32) for name in ("accumulate", "held_first", "held_bytes")],
        *[(name, c_uint32) for name in ("votes", "scale_first", "scale_bytes")],
        *[
            (name, c_uint32)
            for name in ("voted_count", "tail_op", "tail_bits", "tail_inputs", "tail_first", "tail_bytes")
        ],
        *[(name, c_uint32) for name in ("before_count", "before_op", "before_bits", "before_shift")],
        *[
            (name, c_uint32)
            for name in (
                "guide_share",
                "drawn_share",
                "guide_first",
                "guide_bytes",
                "sharpness",
                "decay",
                "squares_first",
                "squares_bytes",
                "curve_mult",
                "curve_shift",
                "curve_classes",
                "curve_first",
                "curve_bytes",
            )
        ],
        *[(name, c_void_p) for name in ("masks", "mask_words")],
        *[(name, c_uint32) for name in ("mask_count", "mask_word_count")],
        ("sites", c_void_p),
        *[
            (name, c_uint32)
            for name in (
                *(
                    "site_count",
                    "match_window",
                    "match_prior",
                    "match_slight",
                    "match_plain",
                    "match_caution",
                ),
                *("match_first", "match_bytes", "unknown"),
            )
        ],
    )


class Scratch(ctypes.Structure):
    """`sf_scratch`."""

    _fields_ = (("memory", c_void_p), ("bytes", c_size_t), ("block", c_uint32), ("row_tile", c_uint32))


class Packs(ctypes.Structure):
    """`sf_packs`."""

    _fields_ = (
        ("memory", c_void_p),
        ("bytes", c_size_t),
        *[(name, c_uint32) for name in ("copies", "directions", "filled", "drawn", "held")],
    )


class Probe(ctypes.Structure):
    """`sf_perturbation`."""

    _fields_ = (("step", c_uint32), ("direction", c_uint32), ("sign", c_int32), ("ascent", c_int32))


class TrialRecord(ctypes.Structure):
    """`sf_trial`."""

    _fields_ = (
        *[("direction", c_uint32), ("amount", c_int32), ("ascent", c_int32)],
        *[(name, c_uint32) for name in ("first", "stride", "rows")],
    )


class JournalHandle(ctypes.Structure):
    """`sf_journal`."""

    _fields_ = (
        *[(name, c_void_p) for name in ("sink", "context", "buffer")],
        ("scale", ctypes.c_uint64),
        *[(name, c_uint32) for name in ("check", "directions", "steps_per_record", "steps_held")],
    )


class Trainer(ctypes.Structure):
    """`sf_trainer`."""

    _fields_ = (
        ("program", POINTER(ProgramHandle)),
        ("plan", POINTER(PlanHandle)),
        ("weights", c_void_p),
        ("state", c_void_p),
        ("scratch", Scratch),
        ("journal", POINTER(JournalHandle)),
        ("step", c_uint32),
        ("votes", c_int8 * 256),
    )


SINK = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)

_PROGRAM, _PLAN, _SCRATCH = POINTER(ProgramHandle), POINTER(PlanHandle), POINTER(Scratch)
_JOURNAL = POINTER(JournalHandle)
_LOSSES = (
    *(_PROGRAM, _PLAN, c_void_p, c_void_p, _SCRATCH, c_void_p, POINTER(Packs)),
    *(c_void_p, c_void_p, c_uint32),
    *(c_uint32, POINTER(TrialRecord), c_uint32, POINTER(c_int64)),
)
_SIGNATURES = {
    "sf_interface": (c_uint32, ()),
    "sf_status_text": (c_char_p, (c_int,)),
    "sf_program_open": (c_int, (_PROGRAM, c_void_p, c_size_t)),
    "sf_plan_open": (c_int, (_PLAN, _PROGRAM, c_void_p, c_size_t)),
    "sf_scratch_bytes": (c_size_t, (_PROGRAM, c_uint32, c_uint32)),
    "sf_thread_bytes": (c_size_t, (_PROGRAM, c_uint32, c_uint32)),
    "sf_packs_bytes": (c_size_t, (_PROGRAM, c_uint32, c_uint32, c_uint32)),
    "sf_inference_bytes": (c_size_t, (_PROGRAM, c_uint32)),
    "sf_logits": (c_int, (_PROGRAM, _PLAN, c_void_p, _SCRATCH, c_void_p, c_uint32, c_void_p)),
    "sf_losses_threaded": (c_int, _LOSSES),
    "sf_gather_threaded": (c_int, _LOSSES),
    "sf_curve_threaded": (
        c_int,
        (
            *(_PROGRAM, _PLAN, c_void_p, c_void_p, _SCRATCH, c_void_p, POINTER(Packs)),
            *(c_void_p, c_void_p, c_uint32, c_uint32, POINTER(c_int64), c_void_p, POINTER(c_int8)),
        ),
    ),
    "sf_logits_threaded": (
        c_int,
        (_PROGRAM, _PLAN, c_void_p, _SCRATCH, c_void_p, POINTER(Packs), c_void_p, c_uint32, c_void_p),
    ),
    "sf_crew_bytes": (c_size_t, ()),
    "sf_crew_open": (c_int, (c_void_p, c_size_t, c_uint32)),
    "sf_crew_close": (None, (c_void_p,)),
    "sf_update_threaded": (
        c_int,
        (_PROGRAM, _PLAN, c_void_p, c_void_p, c_uint32, POINTER(c_int8), c_void_p, POINTER(Packs)),
    ),
    "sf_votes": (c_int, (_PLAN, c_void_p, POINTER(c_int64), POINTER(c_int8))),
    "sf_update": (c_int, (_PROGRAM, _PLAN, c_void_p, c_void_p, c_uint32, POINTER(c_int8))),
    "sf_train_step": (c_int, (POINTER(Trainer), c_void_p, c_void_p, c_uint32)),
    "sf_journal_buffer_bytes": (c_size_t, (c_uint32, c_uint32)),
    "sf_journal_open": (
        c_int,
        (_JOURNAL, c_uint32, c_uint32, c_void_p, c_char_p, c_uint32, SINK, c_void_p),
    ),
    "sf_journal_votes": (c_int, (_JOURNAL, POINTER(c_int8), ctypes.c_uint64)),
    "sf_journal_flush": (c_int, (_JOURNAL,)),
    "sf_journal_evaluation": (c_int, (_JOURNAL, c_uint32, c_int64)),
    "sf_journal_tail": (c_int, (_JOURNAL, _PROGRAM, _PLAN, c_void_p, c_void_p, c_uint32)),
    "sf_match_bytes": (c_size_t, (_PROGRAM,)),
    "sf_match_logits": (
        c_int,
        (_PROGRAM, _PLAN, c_void_p, _SCRATCH, c_void_p, c_uint32, c_uint32, c_void_p),
    ),
    "sf_match_refresh": (c_int, (_PROGRAM, _PLAN, c_void_p)),
    "sf_journal_matching": (c_int, (_JOURNAL, _PROGRAM, _PLAN, c_void_p)),
    "sf_journal_end": (c_int, (_JOURNAL, c_uint32, c_uint8)),
    "sf_directions": (
        None,
        (c_uint32, ctypes.c_uint64, *(c_uint32,) * 5, c_void_p),
    ),
    "sf_solve": (c_int, (c_void_p, c_void_p, c_uint32, c_uint32, c_void_p)),
    "sf_sha256": (None, (c_char_p, c_size_t, POINTER(c_uint8))),
}


@cache
def library() -> ctypes.CDLL:
    """The C core, loaded once: the package's, or the shared library that the environment variable STEPFORWARD_CORE
    names (the tests run builds that know fewer instruction sets).

    Raises:
        StepforwardError: the package was installed without building it, there is no such file, or it was built from
            another version of the core.
    """
    found = importlib.util.find_spec("stepforward.core._core")
    path = os.environ.get("STEPFORWARD_CORE") or (found and found.origin)
    if not path:
        raise StepforwardError(
            "the C core of stepforward is not built", "install a C compiler and run: pip install stepforward"
        )
    try:
        core = ctypes.CDLL(path)
    except OSError as error:
        raise StepforwardError(
            f"the C core {path} cannot be loaded: {error}",
            "unset STEPFORWARD_CORE, or name a shared library built from this version's core",
        ) from error
    if not hasattr(core, "sf_interface") or core.sf_interface() != INTERFACE:
        raise StepforwardError(
            f"the C core {path} was built from another version of stepforward",
            "build it again: pip install . where the source is, make for a core that STEPFORWARD_CORE names",
        )
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(core, name)
        function.restype, function.argtypes = result, arguments
    return core


def check(status: int, doing: str) -> None:
    """Raise for a status that is not SF_OK.

    Raises:
        StepforwardError: the core refused; the message is its own.
    """
    if status:
        text = library().sf_status_text(status).decode()
        raise StepforwardError(f"{doing}: {text}", "write the program and the training plan again")
