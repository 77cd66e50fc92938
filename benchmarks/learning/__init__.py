"""The bench that decides: how well the network learns on tasks that no single default was chosen for.

    python benchmarks/learning/run.py --tasks speakers --methods none backprop ours:defaults --sets all head

`tasks/` makes networks and samples, `ours.py` and `peers.py` learn, `unlabelled.py` adapts without labels, `rows.py`
keeps every finished run in benchmarks/results/learning.json, `tables.py` makes the tables of docs/learning.md of them.
"""
