"""Builds, modifies, saves and loads token-classification models."""
