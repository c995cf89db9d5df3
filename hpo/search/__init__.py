"""Hyperparameter search: trials, samplers, schedulers, the controller, and its Ray Tune backend."""
