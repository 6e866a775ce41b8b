"""Tests of sot_pipeline; the folders mirror the package."""
