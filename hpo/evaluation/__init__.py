"""Scores of trained models: F1 on every case variant, confusion tables, significance, and their files."""
