"""Manifests of what a cluster needs around the pipeline, their check, and how they get there."""
