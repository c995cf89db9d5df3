"""Text and figures for readers of studies: report, model card, result matrix, tables, live progress."""
