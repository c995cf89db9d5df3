"""The commands that put a checkpoint to work."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hpo.errors import Fault, UserError
from hpo.results import write_text


class Output(StrEnum):
    """How predictions are written."""

    JSON = "json"
    CONLL = "conll"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(predict)


def predict(
    checkpoint: Annotated[Path, typer.Argument(help="a model folder, such as results/STUDY/best/1")],
    text: Annotated[
        list[str] | None, typer.Option(help="a sentence or paragraph; may be given several times")
    ] = None,
    file: Annotated[
        str | None, typer.Option(help="plain text, one sentence a line, or a corpus file; - reads stdin")
    ] = None,
    input: Annotated[
        str, typer.Option(help="what the file is: plain, jsonl, hipe, csv-lists or columns")
    ] = "auto",
    format: Annotated[
        Output, typer.Option(help="JSON lines with spans, or CoNLL columns, token and label")
    ] = Output.JSON,
    out: Annotated[Path | None, typer.Option(help="write to this file instead")] = None,
) -> None:
    """Find entities in text: a line of JSON per sentence, with the spans, their places and scores.

    Plain text is split by a simple rule into words, runs of letters and digits, and signs.

    Example: hpo predict results/my-study/best/1 --text "Ada Lovelace lived in London."
    """
    if bool(text) == bool(file):
        raise UserError(Fault("predict", "needs a text or a file", None, "give one of --text and --file"))
    from hpo.corpora.texts import from_lines, read_texts
    from hpo.evaluation.checkpoints import checkpoint_labels
    from hpo.evaluation.prediction import predict as predict_spans

    checkpoint_labels(checkpoint)  # refused before a long text is read
    texts = read_texts(file, input) if file else list(from_lines(text or ()))
    written = _write(predict_spans(checkpoint, texts), format)
    if out is None:
        sys.stdout.writelines(written)
        return
    try:
        write_text(out, "".join(written))
    except OSError as error:
        raise UserError(Fault(str(out), "cannot be written", error.strerror)) from None


def _write(predictions: Iterable[Any], format: Output) -> Iterator[str]:
    for each in predictions:
        if format == Output.CONLL:
            yield each.to_conll()
        else:
            yield json.dumps(each.to_json(), ensure_ascii=False) + "\n"
