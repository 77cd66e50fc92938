"""Spoken digits: a DS-CNN that has heard three speakers of the Free Spoken Digit Dataset meets the fourth."""

import copy
import sys
from functools import cache

import numpy as np
import torch
from common import ROOT

from learning.tasks.kept import kept
from learning.tasks.task import Task, from_module

sys.path.insert(0, str(ROOT / "examples"))
from train_digits_dscnn import (
    ADAPT_TAKES,
    TEST_TAKES,
    VALIDATION_TAKES,
    DigitsDSCNN,
    experiment,
    logarithms,
    read_fsdd,
)

SEED, EPOCHS = 0, 40


def speaker(name: str) -> Task:
    """100 clips of the speaker for adaptation, 300 for testing: the recipe and the takes of the demo."""
    fsdd, logs = recordings()
    y = fsdd["label"].astype(np.int64)
    own = fsdd["speaker_names"][fsdd["speaker"]] == name
    known = ~own & ~np.isin(fsdd["take"], VALIDATION_TAKES)
    network = kept(
        f"speaker-{name}-seed{SEED}-epochs{EPOCHS}",
        DigitsDSCNN(),
        lambda _: experiment(fsdd, logs, name, SEED, EPOCHS)[0],
    )
    heard = logs[torch.from_numpy(known)]
    x = ((logs - round(heard.mean().item(), 3)) / round(heard.std().item(), 3)).numpy()
    data, test = (own & np.isin(fsdd["take"], takes) for takes in (ADAPT_TAKES, TEST_TAKES))
    return Task(
        model=from_module(copy.deepcopy(network).folded(), (1, 32, 50)),
        calibration=x[known][:: max(1, known.sum() // 256)],
        data=(x[data], y[data]),
        test=(x[test], y[test]),
        unfolded=network,
    )


@cache
def recordings():
    """The data set, and its log-mel images as they come."""
    fsdd = read_fsdd()
    return fsdd, logarithms(fsdd)
