"""Files on disk: atomic writes, YAML with line numbers, journals, and the layout of a study's folder."""
