"""The SLURM backend: site profiles, job scripts, submission."""
