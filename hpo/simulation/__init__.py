"""Simulated searches: recorded learning curves in place of training runs."""
