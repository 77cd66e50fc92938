import re
from html.parser import HTMLParser

import pytest
from made_up_result import confusion, entries, of_entries, result

from stepforward.errors import StepforwardError
from stepforward.report import curve as curves
from stepforward.report.html import render, write_report
from stepforward.run.tried import Tried


class Page(HTMLParser):
    """Tags with their attributes, and the text a reader sees."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data + " "

    def sources(self) -> list[str]:
        return [
            a[key] for _, a in self.tags for key in ("src", "srcset", "href", "action", "data") if key in a
        ]


def test_the_headline_figures_are_on_the_page():
    text = Page(render(result())).text
    for figure in (
        "58.0 %",
        "92.7 %",
        "+34.7 points",
        "step 1400",
        "26.2 KiB",
        "1.00",
        "1,312 B",
        "300 test samples",
    ):
        assert figure in text


def test_what_was_done_before_the_first_step_is_on_the_page_and_nothing_where_nothing_was():
    start = Tried(kept="class means, 1 & more", loss_before=2.0, loss_after=0.5, forward_passes=1200)
    page = Page(render(result(head_start=start)))
    assert "Before the first step" in page.text and "1,200" in page.text and start.told in page.text
    assert "Before the first step" not in Page(render(result())).text


@pytest.mark.usefixtures("drawn")
def test_the_page_fetches_nothing_and_runs_nothing():
    page = Page(render(result()))
    assert page.sources()
    assert all(source.startswith("data:image/") for source in page.sources())
    assert not {"script", "link", "iframe", "form", "base"} & {tag for tag, _ in page.tags}


@pytest.mark.parametrize("classes", [2, 10, 41, 1000])
def test_any_number_of_classes(classes):
    page = Page(render(result(classes)))
    tables = sum(tag == "table" and attrs.get("class") == "matrix" for tag, attrs in page.tags)
    images = sum(attrs.get("class") == "heat" for _, attrs in page.tags)
    assert (tables, images) == ((2, 0) if classes <= 40 else (0, 2))


@pytest.mark.usefixtures("drawn")
def test_names_cannot_inject_markup_or_mathematics():
    hostile = "<script>alert(1)</script>\"'><img src=http://x onerror=y> $\\frac{1}$ {{ 7*7 }}"
    page = Page(
        render(
            result(
                2,
                class_names=[hostile, "two"],
                model=hostile,
                data=hostile,
                kept=hostile,
                notes=[hostile],
                settings={hostile: hostile},
                other_ram={hostile: 1},
            )
        )
    )
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(source.startswith("data:image/") for source in page.sources())
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert hostile in page.text


def test_a_measurement_on_validation_samples_says_that_it_is_optimistic():
    text = Page(
        render(result(measured_on="validation", test=None, samples={"train": 80, "validation": 20}))
    ).text
    assert "optimistic" in text
    assert "used for nothing else" not in text


@pytest.mark.usefixtures("drawn")
def test_what_a_result_lacks_is_left_out():
    text = Page(render(result(curve=[], notes=[]))).text
    assert "Notes" not in text
    assert "too few validations" in text


@pytest.mark.usefixtures("drawn")
def test_losses_that_are_not_numbers_are_drawn_around():
    curve = [
        {"step": 0, "train_loss": None, "validation_loss": float("inf"), "validation_accuracy": 0.1},
        {"step": 9, "train_loss": float("nan"), "validation_loss": 1.0, "validation_accuracy": 0.2},
    ]
    assert "data:image/svg+xml" in render(result(curve=curve, adapted_loss=float("nan")))


def test_the_command_reproduces_the_run_and_is_quoted():
    text = Page(
        render(result(model="my net.onnx", settings={"seed": 7, "evaluate_every": 50, "minutes": 2.0}))
    ).text
    assert (
        "stepforward adapt 'my net.onnx' --data clips --test other_clips --seed 7 --evaluate-every 50" in text
    )


@pytest.mark.parametrize(("share_batch", "word"), [(True, "--share-batch"), (False, "--whole-batch")])
def test_the_command_names_a_switch_by_its_word(share_batch, word):
    given = result(model="net.onnx", settings={"directions": 4, "share_batch": share_batch, "seed": 7})
    assert f"--directions 4 {word} --seed 7" in Page(render(given)).text


def test_losses_are_drawn_with_their_temperatures(drawn, monkeypatch):
    labels = []
    monkeypatch.setattr(curves, "_dress", lambda axes, *_: labels.extend(axes.get_legend_handles_labels()[1]))
    curves.curve(result(settings={"temperature": 2.0}), curves.LIGHT)
    assert "training loss at temperature 2" in labels
    assert any(label.startswith("validation loss") and "temperature" not in label for label in labels)
    labels.clear()
    curves.curve(result(settings={"temperature": 2.0, "judge": "training"}), curves.LIGHT)
    assert any(label.startswith("validation loss at temperature 2") for label in labels)
    labels.clear()
    curves.curve(result(settings={"temperature": 2.0, "judge": "training"}, method="backprop"), curves.LIGHT)
    assert "training loss" in labels and not any("temperature" in label for label in labels)
    labels.clear()
    for method in ("qzo-ff", "backprop"):
        flat = result(settings={"temperature": 2.0, "judge": "flat"}, method=method)
        curves.curve(flat, curves.LIGHT)
    assert sum(label.startswith("validation loss at temperature 4") for label in labels) == 2


@pytest.mark.usefixtures("drawn")
def test_the_same_result_gives_the_same_page():
    assert render(result()) == render(result())


def test_a_report_replaces_an_older_one_whole_or_not_at_all(tmp_path):
    write_report(result(), tmp_path / "report.html")
    first = (tmp_path / "report.html").read_text("utf-8")
    with pytest.raises(StepforwardError, match="cannot write"):
        write_report(result(), tmp_path / "missing" / "report.html")
    write_report(result(adapted_accuracy=0.6), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8") != first
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_every_count_of_the_matrices_is_on_the_page():
    page = render(result(3, confusion_before=confusion(3, 11, 7), confusion_after=confusion(3, 17, 1)))
    before, after = re.findall(r'<table class="matrix">(.*?)</table>', page, re.DOTALL)
    assert re.findall(r"<td[^>]*>(.*?)</td>", before) == ["11", "7", "·", "·", "11", "7", "7", "·", "11"]
    assert re.findall(r"<td[^>]*>(.*?)</td>", after) == ["17", "1", "·", "·", "17", "1", "1", "·", "17"]


def styles(page: Page) -> list[str | None]:
    return [attrs.get("class") for tag, attrs in page.tags if tag == "b"]


def test_a_fall_is_shown_as_one():
    page = Page(render(result(adapted_accuracy=0.5, difference_interval=[-0.12, -0.04], gained=3, lost=27)))
    assert "-8.0 points" in page.text
    assert "down" in styles(page)


def test_a_change_within_the_noise_has_no_colour():
    page = Page(render(result(adapted_accuracy=0.61, difference_interval=[-0.02, 0.09])))
    assert "+3.0 points" in page.text
    assert "within the noise of 300 samples" in page.text
    assert not {"up", "down"} & set(styles(page))


def test_a_gain_on_the_samples_that_chose_the_weights_has_no_colour():
    samples = {"train": 80, "validation": 20}
    page = Page(render(result(measured_on="validation", test=None, samples=samples)))
    assert "but these samples chose the weights" in page.text
    assert not {"up", "down"} & set(styles(page))


def test_a_gain_beyond_the_noise_says_how_sure_it_is():
    page = Page(render(result()))
    assert "up" in styles(page)
    assert "95 %: +30.9 to +41.9 points; 110 turned right, 0 wrong" in page.text
    assert "McNemar's test, mid-p: below 0.001" in page.text


@pytest.mark.parametrize("classes", [2, 24, 25, 100])
def test_the_table_of_recalls_shows_who_lost(classes):
    given = entries(classes)
    given["confusion_after"] = [row[:] for row in given["confusion_after"]]
    given["confusion_after"][1] = [30] + [0] * (classes - 1)
    given["per_class"][1] |= {"recall_after": 0.0, "difference_interval": [-0.75, -0.35]}
    page = render(of_entries(given))
    visible = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    row = next(
        row
        for row in re.findall(r"<tr>.*?</tr>", visible)
        if row.startswith("<tr><td>class 1</td>") and "%" in row
    )
    assert 'class="n down">-56.7 points' in row
    assert ("<details>" in page) == (classes > 24)


def test_the_memory_chart_is_of_a_device():
    page = render(result())
    bars = page.split('<div class="bars">')[1].split("</section>")[0]
    assert bars.count('class="bar"') == 5
    assert "this host" not in bars
    assert "9.0 MiB" in bars.split('class="bar"')[-1].split("</div>", 3)[-1]
