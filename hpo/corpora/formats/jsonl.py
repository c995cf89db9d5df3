"""JSON lines: one object per line with `tokens`, `ner_tags`, and optional `auto_tags` and `id`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.records import RecordReader, find_keys
from hpo.corpora.formats.sources import Diagnostics, RawSentence, RawSplit, Source


def matches(source: Source) -> bool:
    """Whether the file name ends in ``.jsonl`` or the text begins with an object."""
    return source.location.lower().endswith(".jsonl") or source.text.lstrip().startswith("{")


def read(sources: Sequence[Source], options: CorpusOptions, diagnostics: Diagnostics) -> list[RawSplit]:
    """Read the sentences of every source; blank lines are skipped."""
    return [
        RawSplit(source.location, source.split, _read_source(source, options, diagnostics))
        for source in sources
    ]


def _read_source(source: Source, options: CorpusOptions, diagnostics: Diagnostics) -> list[RawSentence]:
    reader = RecordReader(source.location, diagnostics, options.label_names, options.label_names)
    sentences = []
    for line, text in enumerate(source.text.split("\n"), 1):
        record = _parse(source.location, line, text, diagnostics) if text.strip() else None
        sentence = (
            None
            if record is None
            else _read_record(source.location, line, record, reader, options, diagnostics)
        )
        if sentence is not None:
            sentences.append(sentence)
    return sentences


def _parse(location: str, line: int, text: str, diagnostics: Diagnostics) -> dict[str, Any] | None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        diagnostics.add_issue(
            location, line, "line is not valid JSON", str(error), "write one JSON object per line"
        )
        return None
    if not isinstance(record, dict):
        diagnostics.add_issue(
            location, line, "line is not a JSON object", text, 'write {"tokens": […], "ner_tags": […]}'
        )
        return None
    return record


def _read_record(
    location: str,
    line: int,
    record: dict[str, Any],
    reader: RecordReader,
    options: CorpusOptions,
    diagnostics: Diagnostics,
) -> RawSentence | None:
    keys, missing = find_keys(options.columns, tuple(record))
    if missing:
        hint = f"keys: {', '.join(record) or 'none'}; set `columns` in a corpus.yaml to use other keys"
        diagnostics.add_issue(location, line, "object lacks a key", ", ".join(missing), hint)
        return None
    auto = record[keys.auto] if keys.auto else None
    name = record[keys.id] if keys.id else None
    return reader.read(line, record[keys.token], record[keys.label], auto, name)
