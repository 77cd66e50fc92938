"""Tables of made-up rows: what a setting brings, in pairs of the same task and seed."""

from learning import family_tables


def run(method, seed, adapted, task="speaker-lucas", cpu=2.0, **settings):
    row = {
        "task": task,
        "train": "all",
        "method": method,
        "settings": {"steps": 500, **settings},
        "seed": seed,
    }
    return row | {"adapted": adapted, "steps": 500, "forward_passes": 1000, "cpu": cpu}


def rows(*methods):
    return [
        run(method, seed, value + 0.01 * seed * method.count("odd"), **settings)
        for method, value, settings in methods
        for seed in range(3)
    ]


def test_settings_are_ordered_by_what_they_bring_after_the_base():
    text = family_tables.family(
        rows(
            ("ours:family-worse", 0.8, {"guide": 0.3}),
            ("ours:family-base", 0.9, {}),
            ("ours:family-odd", 0.9, {"momentum": 0.9, "cpu": 3.0}),
        ),
        "ours:family-base",
    )
    lines = text.splitlines()[2:]
    assert lines[0] == "| none | 90.0 |  | 500 | 1.00 | 1.00 |"
    assert lines[1] == "| `momentum=0.9` | 91.0 | +1.0 ± 2.5 (3 pairs) | 500 | 1.00 | 1.50 |"
    assert lines[2].startswith("| `guide=0.3` | 80.0 | -10.0 ± 0.0 (3 pairs)")


def test_a_seed_without_its_base_makes_no_pair():
    made = rows(("ours:family-base", 0.9, {}), ("ours:family-x", 0.8, {"guide": 0.3}))
    text = family_tables.family([*made, run("ours:family-x", 7, 0.1, guide=0.3)], "ours:family-base")
    assert "-10.0 ± 0.0 (3 pairs)" in text


def test_choices_are_paired_with_the_first():
    found = [
        run("prototype:chosen", seed, 0.9) | {"choices": {"one": [0.9, 1.0], "two": [0.9 - 0.01 * seed, 1.0]}}
        for seed in range(3)
    ]
    assert family_tables.choices(found).splitlines()[2:] == [
        "| one | 90.0 |  |",
        "| two | 89.0 | -1.0 ± 2.5 (3 pairs) |",
    ]


def test_every_table_of_the_page_is_made():
    tables = family_tables.made(None, None)
    assert tables.keys() == {"family_all", "family_choices", "family_before"}
    assert {make() for make in tables.values()} == {"Not measured yet."}
