"""Tables of what options cost a step, from a result as step_cost.py writes it."""

from step_tables import tables

PLAIN = {"option": "plain", "on": "first release", "bits": "16w8a", "microseconds": 41.04, "ratio": 1.0}
COSTS = {
    "steps": 1000,
    "networks": {
        "one": {
            "options": [
                {**PLAIN, "over_first_release": 1.0, "state_bytes": 0},
                {
                    **PLAIN,
                    "option": "momentum",
                    "ratio": 1.0149,
                    "over_first_release": 1.0,
                    "state_bytes": 2468,
                },
            ],
            "before": {
                "passes": 200000,
                "search_passes": 2640,
                "search_passes_share": 0.0132,
                "search_time_share": 0.0142,
                "first_stage_passes": 575,
                "first_stage_passes_share": 0.0029,
                "first_stage_time_share": 0.0187,
            },
        }
    },
}


def test_a_plain_step_has_a_time_and_an_option_a_ratio():
    lines = tables(COSTS, {})["options"]().splitlines()
    assert lines[2:] == [
        "| **step of the first release** | step of the first release | 41.0 µs (1.00); 0 B |",
        "| momentum | step of the first release | 1.01; 2,468 B |",
    ]


def test_what_comes_before_the_steps_is_a_share_of_them():
    row = tables(COSTS, {})["before_steps"]().splitlines()[-1]
    assert row == "| one | 200,000 | 2,640 (1.3%) | 1.4% | 575 (0.3%) | 1.9% |"


def test_a_device_s_step_is_given_per_pass():
    build = {"forward": 7_000_000, "step": 160_000_000}
    runs = {name: {"samples": 10, "builds": {"M4": build}} for name in ("digits", "defaults")}
    matching = {"M4": {"inference": 7e6, "matched": 7.07e6, "counted": 8.4e6, "refresh": 0.7e6}}
    lines = tables(None, {"runs": runs, "matching": matching})["device_steps"]().splitlines()
    assert lines[3] == "| step of the first release, 20 passes | 160.0 (1.14) |"
    assert lines[5:] == [
        "| inference with matched constants | 7.07 (1.01) |",
        "| the same, counted | 8.40 (1.20) |",
        "| refresh of the constants | 0.70 (0.10) |",
    ]
