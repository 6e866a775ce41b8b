"""Derived data: what can be deleted and rebuilt from the files. Two verbs each: fingerprints, apply."""
