"""One step of a sync for each target: plan against what it says it holds, apply exactly that plan."""
