"""Places where a study can run: a local process, SLURM, a Ray cluster."""
