"""The commands that use a trained model: predict, evaluate and compare."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hpo.cli.console import (
    AsJson,
    Checkpoint,
    Data,
    Seed,
    Tags,
    console,
    print_json,
    print_scores,
    write_output,
)
from hpo.errors import Issue, UserError


class OutputFormat(StrEnum):
    """How predictions are written."""

    JSON = "json"
    CONLL = "conll"


def predict(
    checkpoint: Checkpoint,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="a sentence or paragraph; can be given several times"),
    ] = None,
    file: Annotated[
        str | None, typer.Option(help="plain text, one sentence per line, or a corpus file; - reads stdin")
    ] = None,
    input: Annotated[
        str, typer.Option(help="format of the file: auto, plain, jsonl, hipe, csv-lists or columns")
    ] = "auto",
    format: Annotated[
        OutputFormat, typer.Option(help="JSON lines with spans, or CoNLL columns with token and label")
    ] = OutputFormat.JSON,
    out: Annotated[Path | None, typer.Option(help="write to this file")] = None,
) -> None:
    """Find entities in text and print one line of JSON per sentence, with spans, offsets and scores.

    Plain text is split into words by a simple rule: runs of letters and digits, and single signs.

    Example: hpo predict results/my-study/best/1 --text "Ada Lovelace lived in London."
    """
    if bool(text) == bool(file):
        raise UserError(Issue("predict", "needs a text or a file", None, "give either --text or --file"))
    from hpo.evaluation.checkpoint_scores import checkpoint_labels
    from hpo.inference.predict import predict as predict_spans
    from hpo.inference.tokenize_text import read_texts, tokenize_lines

    checkpoint_labels(checkpoint)  # rejects a bad checkpoint before a long text is read
    texts = read_texts(file, input) if file else list(tokenize_lines(text or ()))
    lines = _lines(predict_spans(checkpoint, texts), format)
    if out is None:
        sys.stdout.writelines(lines)
        return
    with console().status("labelling …"):
        content = "".join(lines)
    write_output(out, content)


def _lines(predictions: Iterable[Any], format: OutputFormat) -> Iterator[str]:
    for each in predictions:
        if format == OutputFormat.CONLL:
            yield each.to_conll()
        else:
            yield json.dumps(each.to_json(), ensure_ascii=False) + "\n"


def evaluate(
    checkpoint: Checkpoint, data: Data, tags: Tags, seed: Seed = 42, as_json: AsJson = False
) -> None:
    """Score a model on the seven case variants of a corpus.

    Example: hpo evaluate results/my-study/best/1 --data my-corpus/ --tags conll
    """
    from hpo.evaluation.checkpoint_scores import evaluate_checkpoint

    with console().status("scoring …"):
        scores = evaluate_checkpoint(checkpoint, data, tags, seed)
    print_scores(scores, as_json)


def compare(
    models: Annotated[
        tuple[Path, Path], typer.Argument(metavar="FIRST SECOND", help="the two model folders")
    ],
    data: Data,
    tags: Tags,
    split: Annotated[str, typer.Option(help="the split that both are scored on")] = "test",
    seed: Annotated[int, typer.Option(help="seed of the mixed case variants and of the test")] = 42,
    as_json: AsJson = False,
) -> None:
    """Compare two models: F1 difference, 95 % interval and two-sided p-value.

    The p-value of each variant comes from a paired randomization test over sentences; it is not corrected
    for testing several variants.

    Example: hpo compare results/a/best/1 results/b/best/1 --data my-corpus/ --tags conll
    """
    from dataclasses import asdict

    from hpo.evaluation.significance import compare_checkpoints

    with console().status("comparing …"):
        found = compare_checkpoints(*models, data, tags, split=split, seed=seed)
    if as_json:
        print_json({variant: asdict(each) for variant, each in found.items()})
        return
    sentences = next(iter(found.values())).sentences
    print(f"Micro F1 on {split}, {sentences:,} sentences:\n")
    print(f"{'variant':<21} {'first':>8} {'second':>8} {'difference':>10}   {'95% interval':<19} {'p':>7}")
    for variant, each in found.items():
        interval = f"{each.low:+.5f} {each.high:+.5f}"
        scores = f"{each.first:8.5f} {each.second:8.5f} {each.difference:+10.5f}"
        print(f"{variant:<21} {scores}   {interval:<19} {each.p:7.4f}")
