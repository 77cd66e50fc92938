"""Which finished runs are found again, and which are made anew."""

import json

import pytest
from learning import rows
from learning.candidates import settings_of


def row(**changes):
    made = {"task": "t", "train": "all", "method": "ours:mine", "settings": {"lr": 0.1}, "seed": 0}
    made |= {"inputs": "abc", "resolved": {"lr": 0.1, "steps": 10}, "adapted": 0.5}
    return made | changes


@pytest.fixture
def store(tmp_path):
    file, lock = tmp_path / "rows.json", tmp_path / "build" / "lock"
    return file, lambda made: rows.put(made, file, lock)


def test_a_row_is_found_by_what_it_is_of(store):
    file, put = store
    assert rows.found(row(), file) is None
    put(row())
    put(row(seed=1, adapted=0.6))
    assert rows.found(row(seed=1), file)["adapted"] == 0.6
    assert rows.found(row(settings={"lr": 0.2}), file) is None
    assert rows.found(row(train="head"), file) is None


def test_other_inputs_or_other_defaults_make_a_row_stale(store):
    file, put = store
    put(row())
    assert rows.found(row(inputs="abd"), file) is None
    assert rows.found(row(resolved={"lr": 0.1, "steps": 20}), file) is None


def test_a_setting_that_did_not_exist_was_not_in_use(store):
    file, put = store
    put(row())
    assert rows.found(row(resolved={"lr": 0.1, "steps": 10, "new": "off"}), file)


def test_a_row_replaces_the_one_of_its_key_and_leaves_the_others(store):
    file, put = store
    for made in (row(), row(seed=1), row(adapted=0.9)):
        put(made)
    assert [r["adapted"] for r in rows.read(file).values()] == [0.9, 0.5]


def test_a_task_that_changed_loses_its_old_rows_and_no_others(store):
    file, put = store
    for made in (row(), row(seed=1), row(task="u"), row(seed=1, inputs="new")):
        put(made)
    assert sorted((r["task"], r["seed"]) for r in rows.read(file).values()) == [("t", 1), ("u", 0)]


def test_the_file_is_json_with_a_line_per_row(store):
    file, put = store
    put(row(seed=1))
    put(row())
    assert len(file.read_text().splitlines()) == 4
    assert [r["seed"] for r in json.loads(file.read_text())["rows"]] == [0, 1]


def test_a_candidate_may_differ_by_trainable_set():
    given = {"lr": {"all": 1e-3, "head": 1e-2}, "momentum": 0.9}
    assert settings_of("mine", given, "head") == {"lr": 1e-2, "momentum": 0.9}
    assert settings_of("mine", given, "bias") == {"momentum": 0.9}
    assert settings_of("defaults", {}, "all") == {}


def test_a_candidate_without_settings_or_with_two_sets_of_them_is_refused():
    with pytest.raises(SystemExit, match="no candidate is called 'unheard'"):
        settings_of("unheard", {}, "all")
    with pytest.raises(SystemExit, match="choose another name"):
        settings_of("defaults", {"lr": 1.0}, "all")
