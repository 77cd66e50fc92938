import pytest

from stepforward import journal as journals
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source
from stepforward.verbs.adapt import adapt
from stepforward.verbs.replay import replay


@pytest.fixture(scope="module")
def run(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay") / "run"
    return folder, adapt(
        task.model, task.data, out=folder, steps=40, momentum=0.9, directions=3, train="conv.*"
    )


def test_a_journal_and_the_base_give_the_adapted_file(run, task, tmp_path):
    folder, result = run
    again = replay(task.model, folder / "journal", out=tmp_path / "again.onnx")
    assert again["weights_sha256"] == result["weights_sha256"]
    assert again["base_sha256"] == result["base_sha256"]
    assert (again["steps"], again["kept"]) == (40, result["kept_step"])
    assert (tmp_path / "again.onnx").read_bytes() == (folder / "adapted.onnx").read_bytes()


def test_the_base_of_a_float_model_lies_in_the_run_folder(task, tmp_path):
    result = adapt(task.float_model, task.data, out=tmp_path / "run", steps=20, lr=3e-3)
    again = replay(tmp_path / "run" / "base.onnx", tmp_path / "run" / "journal")
    assert again["weights_sha256"] == result["weights_sha256"]


@pytest.mark.parametrize("name", ["base", "journal"])
def test_the_files_it_reads_are_never_written_over(run, task, name):
    path = {"base": task.model, "journal": run[0] / "journal"}[name]
    before = path.read_bytes()
    with pytest.raises(StepforwardError, match="given to read"):
        replay(task.model, run[0] / "journal", out=path)
    assert path.read_bytes() == before


def test_a_journal_without_the_settings_of_a_run(task, tmp_path):
    writer = journals.JournalWriter.create(tmp_path / "journal", {"seed": 1}, 1)
    writer.end(0, "all steps done")
    writer.close()
    with pytest.raises(StepforwardError, match="lacks the settings"):
        replay(task.model, tmp_path / "journal")


@pytest.mark.parametrize("bits", ["8w8a", "4w8a"])
@pytest.mark.parametrize("form", ["auto", "master", "master-3", "fraction-4", "accumulate-4"])
def test_low_bit_weights_are_rebuilt(task, tmp_path, bits, form):
    options = {"bits": bits, "steps": 30, "lr": 0.1, "epsilon": 0.1, "low_bits": form, "evaluate_every": 5}
    options |= {"first_stage": "none"}
    result = adapt(task.float_model, task.data, out=tmp_path / "run", **options)
    assert result["bits"] == bits and result["kept_step"] > 0
    again = replay(tmp_path / "run" / "base.onnx", tmp_path / "run" / "journal", out=tmp_path / "again.onnx")
    assert again["weights_sha256"] == result["weights_sha256"] != result["base_sha256"]
    for written in (tmp_path / "again.onnx", tmp_path / "run" / "adapted.onnx"):
        assert lower(open_source(written).network()).weights_sha256 == result["weights_sha256"]
    journal = tmp_path / "run" / "journal"
    journal.write_bytes(journal.read_bytes()[:-40])  # killed: the last record is torn
    resumed = adapt(task.float_model, task.data, out=tmp_path / "run", resume=True, **options)
    assert resumed["weights_sha256"] == result["weights_sha256"]
    assert resumed["adapted_accuracy"] == result["adapted_accuracy"]


@pytest.mark.parametrize("mask", ["magnitude", "threshold", "random", "saliency"])
def test_sparse_updates_are_rebuilt(task, tmp_path, mask):
    options = {"bits": "8w8a", "steps": 20, "lr": 1e-2, "epsilon": 2e-2, "sparsity": 0.7, "mask": mask}
    options |= {"low_bits": "auto", "evaluate_every": 5, "first_stage": "match", "votes": "graded"}
    result = adapt(task.float_model, task.data, out=tmp_path / "run", **options)
    again = replay(tmp_path / "run" / "base.onnx", tmp_path / "run" / "journal")
    assert again["weights_sha256"] == result["weights_sha256"] != result["base_sha256"]


@pytest.mark.parametrize(
    "changes",
    [
        {"guide": 0.6, "sharpness": 2, "tail": "exact"},
        {"optimizer": "adam", "momentum": 0.9, "guide": 0.3, "sparsity": 0.5},
        {"sparsity": 0.5, "tail": "exact"},
        {"sparsity": 0.5, "mask": "saliency", "guide": 0.3, "tail": "exact"},
        {"sparsity": 0.5, "mask": "saliency", "sizes": "relative", "epsilon": 0, "lr": 0},
    ],
    ids=str,
)
def test_the_whole_family_resumes_and_replays_to_the_same_bits(task, tmp_path, changes):
    def interrupt(progress):
        if progress.step >= 13:
            raise KeyboardInterrupt

    options = {"steps": 24, "lr": 1e-2, "epsilon": 2e-2, "votes": "graded", "directions": 3, **changes}
    whole = adapt(task.model, task.data, **options)
    with pytest.raises(KeyboardInterrupt):
        adapt(task.model, task.data, out=tmp_path / "run", on_progress=interrupt, **options)
    resumed = adapt(task.model, task.data, out=tmp_path / "run", resume=True, **options)
    assert resumed["weights_sha256"] == whole["weights_sha256"] != whole["base_sha256"]
    again = replay(task.model, tmp_path / "run" / "journal")
    assert again["weights_sha256"] == whole["weights_sha256"]
