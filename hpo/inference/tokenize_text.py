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

from hpo.corpora.formats import FORMATS, find_format
from hpo.corpora.formats.options import CorpusOptions, read_options
from hpo.corpora.formats.records import TOKEN_KEYS
from hpo.corpora.formats.sources import Findings, RawSentence, Source, decode
from hpo.corpora.label_schemes import OUTSIDE_SYMBOLS
from hpo.errors import Issue, UserError, unknown

STDIN = "-"
PLAIN = "plain"
AUTO = "auto"
INPUT_FORMATS = (AUTO, PLAIN, *FORMATS)
"""What a file may be said to be; ``auto`` looks at its name and at what it holds."""

_COLUMN_FILE = re.compile(r".*\.(?:conll\w*|iob\w*|bio\w*|bmes|tsv|csv)", re.IGNORECASE)
_LABEL = re.compile(r"[BIELSUMW]-\S+")
_LOOKED_AT = 200
"""Lines by which it is decided whether a text is columns."""

# A word by the kinds of its characters: w of a word, d a digit, space, else the character itself.
_WORD = re.compile(r"[wd]+(?:(?:[-.']|(?<=d)[,:](?=d))[wd]+)*|[^ ]")


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """One sentence or paragraph: its text, its tokens, and from where to where each stands in the text.

    ``spans`` counts characters, ends exclusive. Tokens of a corpus stand in the text with one space
    between them. ``id`` is that of the corpus, or the number of the line, from 1.
    """

    text: str
    tokens: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    id: str = ""


def split_words(text: str) -> list[tuple[int, int]]:
    """Where the words of a text stand: (start, end) of each in characters, end exclusive.

    A word is a run of letters, digits, combining and invisible marks and underscores. A hyphen, an
    apostrophe or a full stop between two of these, and a comma or a colon between digits, do not end it.
    Any other character that is no space is a word by itself.
    """
    kinds = "".join(map(_kind, text))
    return [match.span() for match in _WORD.finditer(kinds)]


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
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
    """A line of plain text, split by `split_words`."""
    spans = split_words(line)
    return TokenizedText(line, tuple(line[start:end] for start, end in spans), tuple(spans), name)


def from_tokens(tokens: Sequence[str], name: str = "") -> TokenizedText:
    """A sentence that is split already; its text is its tokens with a space between each two."""
    starts = [0, *accumulate(len(token) + 1 for token in tokens)]
    spans = tuple((start, start + len(token)) for start, token in zip(starts, tokens, strict=False))
    return TokenizedText(" ".join(tokens), tuple(tokens), spans, name)


def tokenize_lines(lines: Iterable[str]) -> Iterator[TokenizedText]:
    """Each line that is not blank, with its number from 1 as its id."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield tokenize_line(line, str(number))


def read_texts(file: str, kind: str = AUTO) -> list[TokenizedText]:
    """What a file holds, line by line or, where it is a corpus, sentence by sentence; labels are not read.

    ``file`` is a path, or ``-`` for what comes in on standard input. ``kind`` is one of `INPUT_FORMATS`.

    Raises
    ------
    UserError
        if the file cannot be read, or with every problem of its lines.
    """
    if kind not in INPUT_FORMATS:
        raise unknown("--input", "kind of text", kind, INPUT_FORMATS)
    findings = Findings()
    source = decode(_read_bytes(file), "stdin" if file == STDIN else file, "test", findings)
    findings.stop_at_faults()
    chosen = _recognize(source) if kind == AUTO else kind
    if chosen == PLAIN:
        return list(tokenize_lines(source.text.split("\n")))
    options = CorpusOptions() if file == STDIN else read_options(Path(file).parent)
    return [from_tokens(raw.tokens, raw.id) for raw in _read_sentences(source, chosen, options)]


def _read_bytes(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read()
    path = Path(file)
    if path.is_dir():
        raise UserError(Issue(file, "is a folder", None, "name one of its files"))
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(Issue(file, "no such file")) from None
    except OSError as error:
        raise UserError(Issue(file, "cannot be read", error.strerror)) from None


def _recognize(source: Source) -> str:
    told = next((name for name, kind in FORMATS.items() if kind.recognizes(source)), "columns")
    if told != "columns":
        return told
    return "columns" if _COLUMN_FILE.fullmatch(source.place) or _is_columns(source.text) else PLAIN


def _is_columns(text: str) -> bool:
    """Whether every line has as many fields as the others, and most end in what can only be a label."""
    lines = [line.split() for line in text.split("\n")[:_LOOKED_AT] if line.strip()]
    rows = [fields for fields in lines if fields[0] not in ("-DOCSTART-", "#")]
    if not rows or {len(fields) for fields in rows} != {len(rows[0])} or len(rows[0]) < 2:
        return False
    labelled = sum(fields[-1] in OUTSIDE_SYMBOLS or bool(_LABEL.fullmatch(fields[-1])) for fields in rows)
    return 2 * labelled > len(rows)


def _read_sentences(source: Source, kind: str, options: CorpusOptions) -> list[RawSentence]:
    """The sentences of a corpus file; in one without labels, the tokens are read in their place."""
    told = options.columns.token
    stand_ins = () if kind in ("hipe", "columns") else (told,) if told is not None else TOKEN_KEYS
    columns = [options.columns, *(options.columns.model_copy(update={"label": each}) for each in stand_ins)]
    first: Findings | None = None
    for each in columns:
        findings = Findings()
        reader = find_format([source], kind, source.place)
        splits = reader.read([source], options.model_copy(update={"columns": each}), findings)
        if not findings.has_faults(source.place):
            return [sentence for split in splits for sentence in split.sentences]
        first = first or findings
    if first is not None:
        first.stop_at_faults()
    return []
