"""Keeps canonical markdown in agreement with the rows, points and summaries derived from it."""
