"""Source files, read: symbols, metrics and how files relate. No target, no Dagster, no command line."""
