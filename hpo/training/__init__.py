"""Trains one model: Trainer, optimizer, schedules, early stopping, dev evaluation, snapshots."""
