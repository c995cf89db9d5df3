"""Configuration: studies, search spaces, training configurations and their rules."""
