"""Alembic's environment (`env.py`) and the versions of the schema, one file each."""
