"""What the watcher's tests share with those of faults."""

from sot_pipeline_tests.faults.conftest import mortal_server

__all__ = ["mortal_server"]
