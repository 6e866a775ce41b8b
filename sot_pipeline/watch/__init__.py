"""The resident watcher: hints of the file system, looked at, and applied by the same sync as everything else."""
