"""The demo's task against the clock: QZO-FF in integers and backpropagation in torch, accuracy by wall time.

Same network, speaker, split, samples per step and number of threads. The goal is the best accuracy that backpropagation
reaches, less two points. Each method gets four settings: backpropagation four learning rates, QZO-FF its default and
three quicker ones, which differ in learning rate and in the steps of the schedule. The default settings of QZO-FF are
told apart: what one gets without choosing.

The 300 test clips are scored outside of the clock, and here they choose: the setting and the moment of
backpropagation's best, and for the way to the goal, of either method, the setting that reaches it first. So a run of
QZO-FF ends at the goal, or when another setting has been there sooner. The question is speed; for accuracy on clips
that chose nothing see demo_methods.py.

Needs the extra [torch].
"""

import argparse
import copy
import io
import statistics
import time

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from common import RESULTS, table, write
from matplotlib.figure import Figure

from stepforward.bench.networks import build
from stepforward.bench.others import Others
from stepforward.bench.timing import interleave
from stepforward.digits.clips import load_clips, model_path
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, logits_of
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.moving.select import select
from stepforward.plan.make import for_training
from stepforward.presets import with_preset
from stepforward.run.batches import batch_indices
from stepforward.run.prepare import prepare
from stepforward.settings import METHODS, Settings
from stepforward.sources.open import open_source

RATES = (1e-3, 2e-3, 5e-3, 1e-2)
"""Learning rates of backpropagation, as in demo_methods.py."""

CHOICES = ((2e-3, 2000), (4e-3, 2000), (4e-3, 1000), (6e-3, 1000))
"""Learning rate and steps of QZO-FF, its defaults first."""

EVERY = {"qzo-ff": 10, "backprop": 5}
"""Steps between two scores: about the same time."""

PATIENCE = 150
"""Steps after which a run of backpropagation without a better score has seen its best."""

POINTS = 0.02
WARM_UP = 3


def clocked(step, steps, every, accuracy, ended):
    """Take steps, and score after every `every` of them, while the clock stands.

    The run ends early when `ended(points)` says so.

    Returns:
        Points (steps taken, seconds, accuracy); the first is before any step.
    """
    points, seconds = [(0, 0.0, accuracy())], 0.0
    for first in range(0, steps, every):
        numbers = range(first, min(first + every, steps))
        started = time.perf_counter()
        for number in numbers:
            step(number)
        seconds += time.perf_counter() - started
        points.append((numbers.stop, seconds, accuracy()))
        if ended(points):
            break
    return points


def tired(points):
    """Whether nothing got better for PATIENCE steps."""
    return points[-1][0] - best(points)[0] >= PATIENCE


def until(goal, seconds=float("inf")):
    """Whether the goal is reached, or the time is over."""
    return lambda points: points[-1][2] >= goal or points[-1][1] >= seconds


def reach(points, goal):
    """The first point at which the goal is reached, or None."""
    return next((point for point in points if point[2] >= goal), None)


def best(points):
    """The first of the points with the highest accuracy."""
    return max(points, key=lambda point: point[2])


def earliest(found):
    """The earliest of some points, or None."""
    return min((point for point in found if point), key=lambda point: point[1], default=None)


def integer_points(program, prepared, settings, every, ended):
    """A run of QZO-FF."""
    program, plan = for_training(program, select(program, "all"), settings)
    x, y = quantize_input(program, prepared.train.x), prepared.train.y.astype(np.int32)
    test_x, test_y = quantize_input(program, prepared.test.x), prepared.test.y
    indices = batch_indices(settings.seed, len(y), settings.batch)

    def batches(step):
        return Batch.of(x[indices(step)], y[indices(step)])

    def start():
        engine = CoreEngine(program, plan, threads=settings.threads)
        return engine, qzo_ff(engine, batches, range(settings.steps), plan.directions, plan.share_batch)

    _engine, warm = start()
    for _ in range(WARM_UP):
        next(warm)
    engine, run = start()

    def accuracy():
        return float(np.mean(logits_of(engine, test_x).argmax(axis=1) == test_y))

    return clocked(lambda number: next(run), settings.steps, every, accuracy, ended)


def float_points(prepared, settings, every, layout):
    """A run of backpropagation: SGD with momentum and a cosine schedule, as a torch user writes it."""
    x, test_x = (
        torch.tensor(part.x).contiguous(memory_format=layout) for part in (prepared.train, prepared.test)
    )
    y, test_y = (torch.tensor(part.y) for part in (prepared.train, prepared.test))
    indices = batch_indices(settings.seed, len(y), settings.batch)
    everything = settings.batch >= len(y)

    def start():
        module = build("ds_cnn").to(memory_format=layout)
        optimizer = torch.optim.SGD(module.parameters(), lr=settings.lr, momentum=settings.momentum)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)

        def step(number):
            chosen = slice(None) if everything else torch.from_numpy(indices(number))
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(module(x[chosen]), y[chosen]).backward()
            optimizer.step()
            schedule.step()

        return module, step

    _module, warm = start()
    for number in range(WARM_UP):
        warm(number)
    module, step = start()

    def accuracy():
        with torch.inference_mode():
            return (module(test_x).argmax(1) == test_y).double().mean().item()

    return clocked(step, settings.steps, every, accuracy, tired)


def faster_layout(samples, batch):
    """The layout in which torch takes a step sooner on this network and batch."""
    layouts = {"default": torch.contiguous_format, "channels last": torch.channels_last}
    calls = {}
    for name, layout in layouts.items():
        module = build("ds_cnn").to(memory_format=layout)
        x = torch.tensor(samples.x[:batch]).contiguous(memory_format=layout)
        y = torch.tensor(samples.y[:batch])
        calls[name] = lambda module=module, x=x, y=y: F.cross_entropy(module(x), y).backward()
    times = interleave(calls, 0.5)
    name = min(times, key=lambda name: times[name].median)
    return name, layouts[name]


def backpropagation(prepared, common, layout):
    """Every learning rate; the runs by rate."""
    return {
        rate: float_points(
            prepared, Settings(method="backprop", lr=rate, **common), EVERY["backprop"], layout
        )
        for rate in RATES
    }


def forward_only(prepared, common, goal):
    """Every choice of QZO-FF, its defaults to the goal, the others as long as they may still be first; by choice."""
    program = lower(prepared.in_fixed_point(Settings(**with_preset("first-release", common))).network())
    runs, seconds = {}, float("inf")
    for rate, steps in CHOICES:
        settings = Settings(**with_preset("first-release", {"lr": rate, "steps": steps, **common}))
        points = integer_points(program, prepared, settings, EVERY["qzo-ff"], until(goal, seconds))
        runs[rate, steps] = points
        if arrived := reach(points, goal):
            seconds = min(seconds, arrived[1])
    return runs


def compare(prepared, common, layout):
    """One seed at one batch size: every setting of both methods, one after the other."""
    others = Others()
    theirs = backpropagation(prepared, common, layout)
    rate = finest(theirs)
    goal = best(theirs[rate])[2] - POINTS
    ours = forward_only(prepared, common, goal)
    choice = soonest(ours, goal)
    return {
        **common,
        "samples": len(prepared.train),
        "lr": rate,
        "goal": goal,
        "qzo_ff_lr": choice[0],
        "qzo_ff_schedule": choice[1],
        **outcome(ours, theirs, goal),
        "others": others.share(),
        "qzo_ff_points": ours[choice],
        "default_points": ours[CHOICES[0]],
        "backprop_points": theirs[rate],
    }


def finest(runs):
    """The learning rate with the best score, and of those the earliest."""
    return max(runs, key=lambda rate: (best(runs[rate])[2], -best(runs[rate])[1]))


def soonest(runs, goal):
    """The choice that reaches the goal first; the defaults where none does."""
    found = {choice: reach(points, goal) for choice, points in runs.items()}
    return min(found, key=lambda choice: found[choice][1] if found[choice] else float("inf"))


def outcome(ours, theirs, goal):
    """Who gets where, when: (steps, seconds, accuracy) or None; and ratios of seconds, ours to theirs."""
    reached = earliest(reach(points, goal) for points in ours.values())
    default = reach(ours[CHOICES[0]], goal)
    top, same = best(theirs[finest(theirs)]), earliest(reach(points, goal) for points in theirs.values())
    return {
        "backprop_best": top,
        "backprop_goal": same,
        "qzo_ff_goal": reached,
        "default_goal": default,
        "ratio": over(reached, top),
        "ratio_same_goal": over(reached, same),
        "ratio_default": over(default, top),
    }


def over(ours, theirs):
    """Ratio of the seconds of two points; None where there is none."""
    return ours[1] / theirs[1] if ours and theirs and theirs[1] else None


def middle(values):
    """The median where None is later than every number; None if that is where it lies."""
    found = statistics.median_high(float("inf") if value is None else value for value in values)
    return None if found == float("inf") else found


def summary(runs):
    """One row per batch size: medians over seeds."""
    rows = []
    for batch in dict.fromkeys(run["batch"] for run in runs):
        chosen = [run for run in runs if run["batch"] == batch]
        goals = [run["qzo_ff_goal"] for run in chosen]
        rows.append(
            {
                "batch": min(batch, chosen[0]["samples"]),
                "seeds": len(chosen),
                "layout": chosen[0]["layout"],
                "reached": sum(goal is not None for goal in goals),
                "ratio": middle(run["ratio"] for run in chosen),
                "ratio_same_goal": middle(run["ratio_same_goal"] for run in chosen),
                "reached_default": sum(run["default_goal"] is not None for run in chosen),
                "ratio_default": middle(run["ratio_default"] for run in chosen),
                "seconds": middle(goal and goal[1] for goal in goals),
                "steps": middle(goal and goal[0] for goal in goals),
                "backprop_seconds": middle(run["backprop_best"][1] for run in chosen),
                "backprop_steps": middle(run["backprop_best"][0] for run in chosen),
            }
        )
    return rows


CURVES = {
    "default_points": ("QZO-FF, default settings", "#93c5fd"),
    "qzo_ff_points": ("QZO-FF, integers, first of four settings", "#2563eb"),
    "backprop_points": ("backpropagation, torch float32, best of four rates", "#c2410c"),
}


def draw(runs):
    """Accuracy against wall time, every seed, one panel per batch size; a dot where QZO-FF reaches the goal."""
    batches = list(dict.fromkeys(run["batch"] for run in runs))
    with matplotlib.rc_context({"svg.hashsalt": "stepforward", "font.size": 10}):
        figure = Figure(figsize=(4.6 * len(batches), 4.0), layout="constrained")
        for axes, batch in zip(figure.subplots(1, len(batches), squeeze=False)[0], batches, strict=True):
            chosen = [run for run in runs if run["batch"] == batch]
            for run in chosen:
                draw_run(axes, run)
            goal = statistics.median(run["goal"] for run in chosen)
            axes.axhline(100 * goal, color="#6b7280", linestyle=":")
            axes.set(xscale="log", xlabel="seconds of training", ylabel="test accuracy, %")
            axes.set_title(f"batch {min(batch, chosen[0]['samples'])}, {chosen[0]['threads']} threads")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        lines = [axes.plot([], [], color=colour)[0] for _, colour in CURVES.values()]
        lines.append(axes.plot([], [], ":", color="#6b7280")[0])
        labels = [*(label for label, _ in CURVES.values()), "goal, median"]
        figure.legend(lines, labels, loc="outside lower center", ncols=2, frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def draw_run(axes, run):
    """The curves of one seed."""
    for key, (_, colour) in CURVES.items():
        _, seconds, accuracy = zip(*run[key][1:], strict=True)
        axes.plot(seconds, [100 * a for a in accuracy], color=colour, alpha=0.6, linewidth=1)
    if run["qzo_ff_goal"]:
        _, seconds, accuracy = run["qzo_ff_goal"]
        axes.plot(seconds, 100 * accuracy, "o", color=CURVES["qzo_ff_points"][1], markersize=4)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument(
        "--batches", default=",".join(str(Settings(method=method).batch) for method in METHODS)
    )
    arguments.add_argument("--threads", type=int, default=2)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    opened = open_source(model_path())
    adapting, testing = (load_clips(part, opened.preprocessing) for part in ("adapt", "test"))
    runs = []
    for batch in map(int, given.batches.split(",")):
        name, layout = faster_layout(adapting, batch)
        for seed in range(given.seeds):
            prepared = prepare(copy.copy(opened), adapting, testing, Settings(seed=seed))
            common = {"seed": seed, "batch": batch, "threads": given.threads}
            runs.append({"layout": name, **compare(prepared, common, layout)})
            figures = ("seed", "batch", "lr", "qzo_ff_lr", "qzo_ff_schedule", "backprop_best", "qzo_ff_goal")
            figures += ("default_goal", "ratio", "others")
            print({key: runs[-1][key] for key in figures}, flush=True)
    rows = summary(runs)
    print(table(rows, {key: key.replace("_", " ") for key in rows[0]}))
    kept = [{key: value for key, value in run.items() if "points" not in key} for run in runs]
    write("time_to_accuracy", {"options": vars(given), "summary": rows, "runs": kept})
    (RESULTS / "time_to_accuracy.svg").write_bytes(draw(runs))


if __name__ == "__main__":
    main()
