import io

import pytest
from made_up_result import entries, of_entries, result
from rich.console import Console

from stepforward.report import terminal


def shown(renderable, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def test_an_adaptation_in_one_table():
    text = shown(terminal.adaptation(result(out="runs/digits-1")))
    for figure in (
        "58.0 %",
        "92.7 %",
        "+34.7 points",
        "step 1400",
        "26.2 KiB",
        "1,312 B",
        "on 300 test samples",
    ):
        assert figure in text
    assert "runs/digits-1/report.html" in text
    assert "epsilon is below one quantum" in text


def test_an_adaptation_without_test_data_says_so():
    assert "optimistic" in shown(terminal.adaptation(result(measured_on="validation")))


def test_names_are_shown_as_they_are():
    text = shown(
        terminal.evaluation(
            {"accuracy": 0.5, "correct": 1, "count": 2, "loss": 0.7, "seconds": 0.1, "bits": "16w8a"}
            | {"confusion": [[1, 0], [1, 0]], "class_names": ["[red]stop[/red]", "[/oops]"]}
        )
    )
    assert "[red]stop[/red]" in text
    assert "[/oops]" in text
    assert "1 of 2 samples" in text


def test_an_inspection_lists_operators_and_warns_of_moves_below_a_quantum():
    op = {"kind": "conv", "name": "conv1", "output_shape": [8, 8, 4], "format": "s8 x s16 -> s8"}
    text = shown(
        terminal.inspection(
            {
                "ops": [op | {"macs": 12345, "parameters": 100, "weight_bytes": 232}],
                "macs": 12345,
                "parameters": 100,
                "trainable_parameters": 100,
                "weight_bytes": 232,
                "scratch_bytes_inference": 640,
                "scratch_bytes_training": 640,
                "row_tile_bytes": 128,
                "backprop_scratch_bytes": 4096,
                "host": {
                    "threads": 3,
                    "batch": 16,
                    "fast": {"bytes": 2048, "packed_per_step": 2},
                    "small": {"bytes": 1024, "packed_per_step": 8},
                },
                "arena_bytes": 512,
                "arena_floor_bytes": 500,
                "other_ram": {"one input sample": 64},
                "quanta": {"conv1.weight": [12.5, 0.25]},
                "exact": ["head.weight"],
            }
        )
    )
    for part in (
        "conv1",
        "8x8x4",
        "12,345",
        "232 B",
        "640 B",
        "12.50",
        "0.25",
        "one input sample",
        "head.weight",
        "by its gradient",
        "2,048 B",
        "3 threads: a step of 16 samples packs the weights 2 times",
        "8 times, in 1,024 B less",
    ):
        assert part in text


def test_a_method_without_a_journal_shows_none():
    assert "journal" in shown(terminal.adaptation(result()))
    assert "journal" not in shown(terminal.adaptation(result(method="backprop", journal_bytes=0)))


def style_of(renderable, text: str) -> str:
    console = Console(width=120)
    return next(str(part.style) for part in console.render(renderable) if part.text.strip() == text)


@pytest.mark.parametrize(
    ("after", "interval", "style"),
    [(0.927, [0.28, 0.41], "bold green"), (0.6, [-0.03, 0.07], "dim"), (0.5, [-0.13, -0.02], "bold red")],
)
def test_colour_is_for_changes_beyond_the_noise(after, interval, style):
    change = {"adapted_accuracy": after, "difference_interval": interval}
    drawn = terminal.adaptation(result(**change))
    assert style_of(drawn, f"{100 * (after - 0.58):+.1f} points") == style
    assert ("within the noise of 300 samples" in shown(drawn)) == (style == "dim")


def test_classes_of_different_size_have_a_mean_of_their_own():
    assert "mean of classes" not in shown(terminal.adaptation(result()))
    uneven = entries(2)
    uneven["per_class"][0]["samples"] = 190
    assert "every class counts alike; before 56.7 %" in shown(terminal.adaptation(of_entries(uneven)))
