"""Prediction of entities in text with a trained checkpoint."""
