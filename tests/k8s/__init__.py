"""Tests of the manifests; a package, for the name of its ``conftest`` is taken elsewhere."""
