"""HIPE-2022 TSV: a header line, document comments, and sentences that end at a flag in MISC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hpo.corpora.formats.options import CorpusOptions
from hpo.corpora.formats.sources import Diagnostics, RawSentence, RawSplit, Source

TOKEN_COLUMN = "TOKEN"
LABEL_COLUMN = "NE-COARSE-LIT"
FLAG_COLUMN = "MISC"
SENTENCE_END = "EndOfSentence"
MASK = "_"
"""The label of tokens whose label was withheld or does not apply; read as outside."""


def matches(source: Source) -> bool:
    """Whether a file begins with HIPE's header."""
    return source.text.startswith(TOKEN_COLUMN + "\t")


def read(sources: Sequence[Source], options: CorpusOptions, diagnostics: Diagnostics) -> list[RawSplit]:
    """Read the sentences of every source; the end of a document also ends a sentence."""
    return [
        RawSplit(source.location, source.split, _read_source(source, options, diagnostics))
        for source in sources
    ]


def _read_source(source: Source, options: CorpusOptions, diagnostics: Diagnostics) -> list[RawSentence]:
    header = source.text.split("\n", 1)[0].split("\t")
    token = options.columns.token or TOKEN_COLUMN
    label = options.columns.label or LABEL_COLUMN
    columns = [str(name) for name in (token, label, options.columns.auto) if name is not None]
    missing = [name for name in columns if name not in header]
    for name in missing:
        diagnostics.add_issue(
            source.location, 1, "header lacks a column", name, f"columns: {', '.join(header)}"
        )
    if missing:
        return []
    token_at, label_at, *auto_at = map(header.index, columns)
    flag_at = header.index(FLAG_COLUMN) if FLAG_COLUMN in header else None
    sentences: list[RawSentence] = []
    crossing = masked = 0
    for document in _documents(source, len(header), diagnostics):
        open_type, first = "", document[0][0]
        for rows in _split_sentences(document, flag_at):
            labels = tuple(fields[label_at] for _, fields in rows)
            tokens = tuple(fields[token_at] for _, fields in rows)
            auto = tuple(fields[auto_at[0]] for _, fields in rows) if auto_at else None
            crossing += bool(open_type) and labels[0] == f"I-{open_type}"
            open_type = labels[-1][2:]
            masked += labels.count(MASK)
            lines = [line for line, _ in rows]
            sentences.append(RawSentence(tokens, labels, lines, "", auto, f"{source.split}:{first}"))
            _report_empty_tokens(source.location, sentences[-1], diagnostics)
    if crossing:
        diagnostics.notes.append(f"{source.location}: entities split at the end of a sentence: {crossing}")
    if masked:
        diagnostics.notes.append(f"{source.location}: masked labels ({MASK}), read as outside: {masked}")
    return sentences


Row = tuple[int, list[str]]


def _documents(source: Source, width: int, diagnostics: Diagnostics) -> Iterator[list[Row]]:
    rows: list[Row] = []
    for line, text in enumerate(source.text.split("\n"), 1):
        if not text.strip():
            if rows:
                yield rows
            rows = []
            continue
        fields = text.split("\t")
        if line == 1 or (text.startswith("#") and len(fields) == 1):
            continue
        if len(fields) == width:
            rows.append((line, fields))
        else:
            hint = "separate all columns by tabs"
            diagnostics.add_issue(source.location, line, f"row does not have {width} columns", text, hint)
    if rows:
        yield rows


def _split_sentences(document: list[Row], flag_at: int | None) -> Iterator[list[Row]]:
    start = 0
    for index, (_, fields) in enumerate(document):
        if flag_at is not None and SENTENCE_END in fields[flag_at].split("|"):
            yield document[start : index + 1]
            start = index + 1
    if start < len(document):
        yield document[start:]


def _report_empty_tokens(location: str, sentence: RawSentence, diagnostics: Diagnostics) -> None:
    for token, line in zip(sentence.tokens, sentence.lines, strict=True):
        if not token.strip():
            diagnostics.add_issue(location, line, "token is empty", token, "remove the row")
