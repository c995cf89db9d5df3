"""Corpora: loading, splits, tag families, label schemes, entity spans and case variants."""
