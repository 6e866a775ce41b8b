"""Skills, canonical on both sides: folders with a SKILL.md and rows of `skills`. Reads and compares; writes nothing.

May import `plan`, `errors` and `runtime`, and no target.
"""
