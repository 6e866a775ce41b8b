"""One question over rows and vectors."""
