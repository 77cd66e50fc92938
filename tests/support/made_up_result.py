"""Results as `adapt` returns them, for the renderers' tests."""

from dataclasses import fields

from stepforward.intervals import Interval, mcnemar, paired_difference, wilson
from stepforward.run.comparison import ClassChange
from stepforward.run.fidelity import Fidelity
from stepforward.run.result import RunResult, SampleCounts
from stepforward.run.training import CurveRow


def confusion(classes: int, right: int, wrong: int) -> list[list[int]]:
    """`right` of each class classified correctly, `wrong` taken for the next class."""
    matrix = [[0] * classes for _ in range(classes)]
    for i in range(classes):
        matrix[i][i] += right
        matrix[i][(i + 1) % classes] += wrong
    return matrix


def of_entries(entries: dict) -> RunResult:
    """The result with these entries of a `result.json`."""
    names = {entry.metadata.get("key", entry.name): entry.name for entry in fields(RunResult)}
    given = {names[name]: value for name, value in entries.items()}
    for name in ("zero_shot_interval", "adapted_interval", "difference_interval"):
        given[name] = Interval(*given[name])
    given["per_class"] = tuple(
        ClassChange(**{**row, "difference_interval": Interval(*row["difference_interval"])})
        for row in given["per_class"]
    )
    given["curve"] = tuple(CurveRow(**row) for row in given["curve"])
    given["samples"] = SampleCounts(**{"test": None, **given["samples"]})
    if given.get("quantization"):
        given["quantization"] = Fidelity(**given["quantization"])
    return RunResult(**given)


def result(classes: int = 10, **changes) -> RunResult:
    """A run of 1,500 steps on `classes` classes; `changes` replace single entries."""
    return of_entries({**entries(classes), **changes})


def entries(classes: int = 10) -> dict:
    """What its `result.json` holds."""
    curve = [
        {
            "step": step,
            "train_loss": 0.3 + 1.5 / (1 + step / 150) if step else None,
            "validation_loss": 0.4 + 1.4 / (1 + step / 150),
            "validation_accuracy": 0.9 - 0.35 / (1 + step / 150),
        }
        for step in range(0, 1501, 50)
    ]
    before, after = confusion(classes, 17, 13), confusion(classes, 28, 2)
    gained, count = 11 * classes, 30 * classes
    return {
        "zero_shot_interval": list(wilson(17 * classes, count)),
        "adapted_interval": list(wilson(28 * classes, count)),
        "difference_interval": list(paired_difference(gained, 0, count)),
        "gained": gained,
        "lost": 0,
        "mcnemar_p": mcnemar(gained, 0),
        "zero_shot_mean_recall": 17 / 30,
        "adapted_mean_recall": 28 / 30,
        "per_class": [
            {"name": f"class {i}", "samples": 30, "recall_before": 17 / 30, "recall_after": 28 / 30}
            | {"gained": 11, "lost": 0, "difference_interval": list(paired_difference(11, 0, 30))}
            for i in range(classes)
        ],
        "zero_shot_accuracy": 0.58,
        "adapted_accuracy": 0.927,
        "measured_on": "test",
        "method": "qzo-ff",
        "bits": "16w8a",
        "train": "all",
        "steps": 1500,
        "directions": 4,
        "trainable_parameters": 12970,
        "weight_bytes": 26836,
        "scratch_bytes_inference": 16384,
        "scratch_bytes_training": 16384,
        "host_scratch_bytes": 9 * 2**20,
        "row_tile_bytes": 736,
        "backprop_scratch_bytes": 187000,
        "other_ram": {"one sample": 1960, "momentum, s16": 25940, "journal buffer": 64},
        "journal_bytes": 1312,
        "seconds": 31.4,
        "steps_per_second": 47.8,
        "forward_passes": 960000,
        "weights_sha256": "ab" * 32,
        "base_sha256": "cd" * 32,
        "kept": "step 1400",
        "kept_step": 1400,
        "stopped": "all steps done",
        "class_names": [f"class {i}" for i in range(classes)],
        "samples": {"train": 80, "validation": 20, "test": 30 * classes},
        "confusion_before": before,
        "confusion_after": after,
        "zero_shot_loss": 1.62,
        "adapted_loss": 0.31,
        "curve": curve,
        "settings": {"seed": 7, "epsilon": 0.001, "lr": 0.002, "momentum": 0.9, "minutes": None},
        "split": {"train": ["a.wav"], "validation": ["b.wav"]},
        "model": "digits.onnx",
        "data": "clips",
        "test": "other_clips",
        "stepforward": "0.1.0",
        "notes": ["epsilon is below one quantum of conv1.bias"],
    }
