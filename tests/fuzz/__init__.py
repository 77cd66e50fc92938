"""Fuzzing of every reader: inputs that are nearly right, with checksums and sizes made right again.

python -m fuzz --parser journal --runs 100000     (or `make fuzz PARSER=journal RUNS=100000`)

Every input must be read or refused with a StepforwardError of one line, within limits of time and memory. The n-th
input of a parser and a seed is always the same. What was found once lies in `corpus`; every test run reads it again.
"""
