"""Measures speed, disk and memory use, and compares them with those of alternative tools."""
