"""Commands as functions: prepare, run, export, grid, rerank, replay, submit, validate."""
