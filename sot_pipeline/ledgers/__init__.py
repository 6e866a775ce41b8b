"""Ledgers: markdown text to entries. Pure but for `read.py`."""
