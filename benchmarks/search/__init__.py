"""Compares search algorithms, ours and those of other libraries, on recorded learning curves."""
