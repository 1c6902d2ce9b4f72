"""The graph, its recipes, and the ways to run it."""
