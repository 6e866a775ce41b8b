"""Rows and their full-text index, in SQLite and PostgreSQL."""
