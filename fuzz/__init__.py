"""Mutation fuzzing of the parsers: `python -m fuzz TARGET|all --seconds N --seed S`."""
