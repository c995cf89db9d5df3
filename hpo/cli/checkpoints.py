"""The commands that put a checkpoint to work."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hpo.errors import Issue, UserError
from hpo.storage.atomic import write_text


class Output(StrEnum):
    """How predictions are written."""

    JSON = "json"
    CONLL = "conll"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(predict)
    app.command()(compare)


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
        raise UserError(Issue("predict", "needs a text or a file", None, "give one of --text and --file"))
    from hpo.evaluation.checkpoint_scores import checkpoint_labels
    from hpo.inference.predict import predict as predict_spans
    from hpo.inference.tokenize_text import read_texts, tokenize_lines

    checkpoint_labels(checkpoint)  # refused before a long text is read
    texts = read_texts(file, input) if file else list(tokenize_lines(text or ()))
    written = _write(predict_spans(checkpoint, texts), format)
    if out is None:
        sys.stdout.writelines(written)
        return
    with _status("labelling …"):
        whole = "".join(written)
    try:
        write_text(out, whole)
    except OSError as error:
        raise UserError(Issue(str(out), "cannot be written", error.strerror)) from None


def _status(doing: str) -> Any:
    from rich.console import Console

    return Console(stderr=True, highlight=False).status(doing)


def _write(predictions: Iterable[Any], format: Output) -> Iterator[str]:
    for each in predictions:
        if format == Output.CONLL:
            yield each.to_conll()
        else:
            yield json.dumps(each.to_json(), ensure_ascii=False) + "\n"


def compare(
    first: Annotated[Path, typer.Argument(help="a model folder, such as results/STUDY/best/1")],
    second: Annotated[Path, typer.Argument(help="the model folder that it is compared with")],
    data: Annotated[str, typer.Option(help="demo, a file, a folder, or a hub id name:config")],
    tags: Annotated[str, typer.Option(help="tag family, a name or a YAML file")],
    split: Annotated[str, typer.Option(help="the split that both are scored on")] = "test",
    seed: Annotated[int, typer.Option(help="of the mixes and of the test's draws")] = 42,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for machines")] = False,
) -> None:
    """Say whether the second checkpoint beats the first: the difference in F1, its interval, and p.

    p is of a paired randomization test over sentences, for one variant; who looks at all seven for
    the smallest will find it smaller than it is.

    Example: hpo compare results/a/best/1 results/b/best/1 --data my-corpus/ --tags conll
    """
    from dataclasses import asdict

    from hpo.evaluation.significance import compare_checkpoints

    with _status("comparing …"):
        found = compare_checkpoints(first, second, data, tags, split=split, seed=seed)
    if as_json:
        print(json.dumps({variant: asdict(each) for variant, each in found.items()}, indent=1))
        return
    sentences = next(iter(found.values())).sentences
    print(f"Micro F1 on {split}, {sentences:,} sentences:\n")
    print(f"{'variant':<21} {'first':>8} {'second':>8} {'difference':>10}   {'95% interval':<19} {'p':>7}")
    for variant, each in found.items():
        interval = f"{each.low:+.5f} {each.high:+.5f}"
        scores = f"{each.first:8.5f} {each.second:8.5f} {each.difference:+10.5f}"
        print(f"{variant:<21} {scores}   {interval:<19} {each.p:7.4f}")
