"""JSON lines: one object a line, with `tokens`, `ner_tags`, and optional `auto_tags` and `id`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.records import RecordReader, find_layout
from hpo.corpora.formats.sources import Findings, RawSentence, RawSplit, Source


def recognizes(source: Source) -> bool:
    """Whether a file is named as JSON lines or begins as such."""
    return source.place.lower().endswith(".jsonl") or source.text.lstrip().startswith("{")


def read(sources: Sequence[Source], options: CorpusOptions, findings: Findings) -> list[RawSplit]:
    """The sentences of every source; blank lines are passed over."""
    return [
        RawSplit(source.place, source.split, _read_source(source, options, findings)) for source in sources
    ]


def _read_source(source: Source, options: CorpusOptions, findings: Findings) -> list[RawSentence]:
    reader = RecordReader(source.place, findings, options.label_names, options.label_names)
    sentences = []
    for line, text in enumerate(source.text.split("\n"), 1):
        record = _parse(source.place, line, text, findings) if text.strip() else None
        sentence = (
            None if record is None else _read_record(source.place, line, record, reader, options, findings)
        )
        if sentence is not None:
            sentences.append(sentence)
    return sentences


def _parse(place: str, line: int, text: str, findings: Findings) -> dict[str, Any] | None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        findings.issue(place, line, "line is not JSON", str(error), "write one JSON object a line")
        return None
    if not isinstance(record, dict):
        findings.issue(
            place, line, "line is not a JSON object", text, 'write {"tokens": […], "ner_tags": […]}'
        )
        return None
    return record


def _read_record(
    place: str,
    line: int,
    record: dict[str, Any],
    reader: RecordReader,
    options: CorpusOptions,
    findings: Findings,
) -> RawSentence | None:
    layout, missing = find_layout(options.columns, tuple(record))
    if missing:
        hint = f"the keys are: {', '.join(record) or 'none'}; `columns` in a corpus.yaml can name others"
        findings.issue(place, line, "object lacks a key", ", ".join(missing), hint)
        return None
    auto = record[layout.auto] if layout.auto else None
    name = record[layout.id] if layout.id else None
    return reader.read(line, record[layout.token], record[layout.label], auto, name)
