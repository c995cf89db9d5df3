"""Benchmarks of the search algorithms and of speed, disk and memory use, compared with other tools."""
