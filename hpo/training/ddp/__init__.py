"""Trains one model in several processes, one for each GPU of a trial."""
