"""The Dagster room: the only one that imports dagster."""
