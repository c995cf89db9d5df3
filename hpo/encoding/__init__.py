"""Turns labelled sentences into batches of subtokens: tokenizers, windows, packing and batch samplers."""
