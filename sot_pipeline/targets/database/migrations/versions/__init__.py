"""Versions of the schema, named by a number that only grows."""
