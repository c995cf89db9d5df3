"""Turn plain text into tokens with character offsets, or read the sentences of a corpus file."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

from hpo.corpora.formats import FORMATS, detect_format, find_format
from hpo.corpora.formats.options import CorpusOptions, read_options
from hpo.corpora.formats.records import TOKEN_KEYS
from hpo.corpora.formats.sources import Diagnostics, RawSentence, Source, decode
from hpo.corpora.label_schemes import OUTSIDE_SYMBOLS
from hpo.errors import Issue, UserError, unknown

STDIN = "-"
PLAIN = "plain"
AUTO = "auto"
INPUT_FORMATS = (AUTO, PLAIN, *FORMATS)
"""The input formats; ``auto`` detects the format from file name and content."""

_COLUMN_FILE = re.compile(r".*\.(?:conll\w*|iob\w*|bio\w*|bmes|tsv|csv)", re.IGNORECASE)
_LABEL = re.compile(r"[BIELSUMW]-\S+")
_INSPECTED_LINES = 200
"""Number of lines inspected to decide whether a text consists of columns."""

# Matches words in a text of character classes: w for letters, d for digits, space, else the character.
_WORD = re.compile(r"[wd]+(?:(?:[-.']|(?<=d)[,:](?=d))[wd]+)*|[^ ]")


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """One sentence or paragraph: its text, its tokens, and the span of each token in the text.

    ``spans`` are character offsets, ends exclusive. The tokens of a corpus are joined by single spaces.
    ``id`` is the sentence's id in the corpus, or the line number from 1.
    """

    text: str
    tokens: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    id: str = ""


def split_words(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) character offsets of the words of a text, ends exclusive.

    A word is a run of letters, digits, combining and invisible marks, and underscores. A hyphen, an
    apostrophe or a full stop between two of these, and a comma or a colon between digits, do not end it.
    Every other non-space character is a separate word.

    Example: "U.S. won 3-1!" has the words ``U.S``, ``.``, ``won``, ``3-1`` and ``!``.
    """
    classes = "".join(map(_character_class, text))
    return [match.span() for match in _WORD.finditer(classes)]


@lru_cache(maxsize=4096)
def _character_class(character: str) -> str:
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Nd":
        return "d"
    if category[0] in "LMN" or category in ("Pc", "Cf"):
        return "w"
    if category == "Cc":
        return " "
    return {"’": "'", "‐": "-", "‑": "-"}.get(character, "?" if category[0] != "P" else character)


def tokenize_line(line: str, name: str = "") -> TokenizedText:
    """Tokenize a line of plain text with `split_words`."""
    spans = split_words(line)
    return TokenizedText(line, tuple(line[start:end] for start, end in spans), tuple(spans), name)


def from_tokens(tokens: Sequence[str], name: str = "") -> TokenizedText:
    """Return a sentence that is already tokenized; its text is the tokens joined by spaces."""
    starts = [0, *accumulate(len(token) + 1 for token in tokens)]
    spans = tuple((start, start + len(token)) for start, token in zip(starts, tokens, strict=False))
    return TokenizedText(" ".join(tokens), tuple(tokens), spans, name)


def tokenize_lines(lines: Iterable[str]) -> Iterator[TokenizedText]:
    """Tokenize each line that is not blank; its id is the line number from 1."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield tokenize_line(line, str(number))


def read_texts(file: str, input_format: str = AUTO) -> list[TokenizedText]:
    """Read the lines of a text file, or the sentences of a corpus file without their labels.

    ``file`` is a path, or ``-`` for standard input. ``input_format`` is one of `INPUT_FORMATS`.

    Raises
    ------
    UserError
        If the file cannot be read, or with every issue of its lines.
    """
    if input_format not in INPUT_FORMATS:
        raise unknown("--input", "input format", input_format, INPUT_FORMATS)
    diagnostics = Diagnostics()
    source = decode(_read_bytes(file), "stdin" if file == STDIN else file, "test", diagnostics)
    diagnostics.raise_issues()
    chosen = _detect(source) if input_format == AUTO else input_format
    if chosen == PLAIN:
        return list(tokenize_lines(source.text.split("\n")))
    options = CorpusOptions() if file == STDIN else read_options(Path(file).parent)
    return [from_tokens(raw.tokens, raw.id) for raw in _read_sentences(source, chosen, options)]


def _read_bytes(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read()
    path = Path(file)
    if path.is_dir():
        raise UserError(Issue(file, "is a folder", None, "give one of its files"))
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(Issue(file, "no such file")) from None
    except OSError as error:
        raise UserError(Issue(file, "cannot be read", error.strerror)) from None


def _detect(source: Source) -> str:
    detected = detect_format(source)
    if detected != "columns":
        return detected
    return "columns" if _COLUMN_FILE.fullmatch(source.location) or _is_columns(source.text) else PLAIN


def _is_columns(text: str) -> bool:
    """Whether all lines have the same number of fields, and most end in something that must be a label."""
    lines = [line.split() for line in text.split("\n")[:_INSPECTED_LINES] if line.strip()]
    rows = [fields for fields in lines if fields[0] not in ("-DOCSTART-", "#")]
    if not rows or {len(fields) for fields in rows} != {len(rows[0])} or len(rows[0]) < 2:
        return False
    labelled = sum(fields[-1] in OUTSIDE_SYMBOLS or bool(_LABEL.fullmatch(fields[-1])) for fields in rows)
    return 2 * labelled > len(rows)


def _read_sentences(source: Source, name: str, options: CorpusOptions) -> list[RawSentence]:
    """Read the sentences of a corpus file; if it has no labels, read its tokens as labels."""
    token = options.columns.token
    as_labels = () if name in ("hipe", "columns") else (token,) if token is not None else TOKEN_KEYS
    columns = [options.columns, *(options.columns.model_copy(update={"label": each}) for each in as_labels)]
    first: Diagnostics | None = None
    for each in columns:
        diagnostics = Diagnostics()
        reader = find_format([source], name, source.location)
        splits = reader.read([source], options.model_copy(update={"columns": each}), diagnostics)
        if not diagnostics.has_issues(source.location):
            return [sentence for split in splits for sentence in split.sentences]
        first = first or diagnostics
    if first is not None:
        first.raise_issues()
    return []
