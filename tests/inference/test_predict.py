"""Tests that predicted spans equal those that `hpo evaluate` scores, and of their positions."""

import json
import random
import sys

import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.cli import app as cli
from hpo.config.training_config import TrainingConfig
from hpo.corpora.spans import label_names
from hpo.corpora.tag_families import load_family
from hpo.encoding.tokenizers import train_wordpiece
from hpo.errors import UserError
from hpo.evaluation.checkpoint_scores import evaluate_checkpoint
from hpo.inference.predict import CHUNK_SENTENCES, Prediction, Span, predict
from hpo.inference.tokenize_text import from_tokens, tokenize_line
from hpo.models.build import build_model

TYPES = load_family("conll").types
WORDS = ["Ada", "Åbo", "in", "the", "U.S.", "walked", "so\xadft", "İzmir", "x", ".", "Lindqvist-Berg"]


@pytest.fixture(autouse=True)
def quiet():
    transformers.utils.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()


@pytest.fixture(scope="module", params=[512, 12], ids=["whole", "windows"])
def checkpoint(request, tmp_path_factory):
    """A random model that predicts many spans, with windows of a whole sentence or of a few subtokens."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = train_wordpiece([WORDS], vocabulary=60)
    tokenizer.model_max_length = request.param
    model = build_model("tiny", label_names(TYPES), len(tokenizer), TrainingConfig(), seed=request.param)
    model.classifier.weight.data.mul_(4)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_corpus(folder, seed):
    draw = random.Random(seed)
    rows = []
    for number in range(30):
        tokens = draw.choices(WORDS, k=draw.randint(1, 20))
        labels = [f"B-{draw.choice(TYPES)}" if draw.random() < 0.5 else "O" for _ in tokens]
        rows.append({"id": str(number), "tokens": tokens, "ner_tags": labels})
    path = folder / "test.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path, rows


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_predict_finds_the_spans_that_evaluate_scores(checkpoint, empty_folder, seed):
    path, rows = write_corpus(empty_folder, seed)
    scores = evaluate_checkpoint(checkpoint, str(path), "conll", 1)["test"]["cased"]
    found = list(predict(checkpoint, [from_tokens(row["tokens"]) for row in rows]))
    gold = {
        (number, place, place + 1, label[2:])
        for number, row in enumerate(rows)
        for place, label in enumerate(row["ner_tags"])
        if label != "O"
    }
    predicted = {
        (number, span.start, span.end, span.type) for number, each in enumerate(found) for span in each.spans
    }
    assert (len(gold & predicted), len(predicted), len(gold)) == (
        scores.correct,
        scores.predicted,
        scores.gold,
    )
    assert len(predicted) > 30
    assert any(span.end - span.start > 1 for each in found for span in each.spans)


@settings(max_examples=20)
@given(lines=st.lists(st.text(max_size=40) | st.sampled_from(["Ada in Åbo .", ""]), max_size=5))
def test_predict_spans_are_ordered_disjoint_and_match_their_text(checkpoint, lines):
    texts = [tokenize_line(line, str(number)) for number, line in enumerate(lines)]
    found = list(predict(checkpoint, texts))
    assert [(each.id, each.text, each.tokens) for each in found] == [
        (text.id, text.text, text.tokens) for text in texts
    ]
    for text, each in zip(texts, found, strict=True):
        before = 0
        for span in each.spans:
            assert before <= span.start < span.end <= len(text.tokens)
            before = span.end
            assert (span.start_char, span.end_char) == (
                text.spans[span.start][0], text.spans[span.end - 1][1],
            )  # fmt: skip
            assert span.text == text.text[span.start_char : span.end_char]
            assert 1 / len(label_names(TYPES)) < span.score <= 1


def test_predict_does_not_depend_on_the_other_texts(checkpoint, monkeypatch):
    texts = [from_tokens(WORDS[:number]) for number in range(1, len(WORDS))]
    together = list(predict(checkpoint, texts))
    monkeypatch.setattr("hpo.inference.predict.CHUNK_SENTENCES", 3)
    in_chunks = list(predict(checkpoint, texts))
    assert [each.labels for each in together] == [each.labels for each in in_chunks]
    assert len(texts) < CHUNK_SENTENCES


def test_prediction_labels_are_valid_iob2():
    spans = (Span("PER", 0, 2, 0, 7, "Ada Åbo", 0.5), Span("PER", 2, 3, 8, 10, "in", 0.5))
    each = Prediction("1", "Ada Åbo in x", ("Ada", "Åbo", "in", "x"), spans)
    assert each.labels == ("B-PER", "I-PER", "B-PER", "O")
    assert each.to_conll() == "Ada\tB-PER\nÅbo\tI-PER\nin\tB-PER\nx\tO\n\n"


def test_predict_with_an_invalid_folder_is_refused_at_the_call(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        predict(tmp_path / "nope", [])
    labels = {"id2label": {"0": "B-PER", "1": "I-PER", "2": "O"}}
    (tmp_path / "config.json").write_text(json.dumps(labels))
    with pytest.raises(UserError, match="labels must be O, B-x, I-x"):
        predict(tmp_path, [])


@pytest.fixture
def hpo(empty_folder, monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["hpo", "predict", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return call


def test_command_prints_one_json_line_per_sentence(hpo, checkpoint):
    code, out, err = hpo(checkpoint, "--text", "Ada in Åbo.", "--text", "x")
    assert (code, err) == (0, "")
    first, second = map(json.loads, out.splitlines())
    assert list(first) == ["id", "text", "tokens", "spans"]
    assert first["tokens"] == ["Ada", "in", "Åbo", "."]
    assert (first["id"], second["id"], second["text"]) == ("1", "2", "x")
    expected, _ = predict(checkpoint, [tokenize_line("Ada in Åbo.", "1"), tokenize_line("x", "2")])
    assert first == json.loads(json.dumps(expected.to_json()))


def test_command_writes_conll_that_loads_as_a_corpus(hpo, checkpoint, empty_folder):
    path, rows = write_corpus(empty_folder, 9)
    code, out, err = hpo(checkpoint, "--file", path, "--format", "conll", "--out", "found.conll")
    assert (code, out, err) == (0, "", "")
    scores = evaluate_checkpoint(checkpoint, "found.conll", "conll", 1)["train"]["cased"]
    assert scores.gold == scores.predicted == scores.correct > 30
    assert len((empty_folder / "found.conll").read_text().split("\n\n")) == len(rows) + 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "predict: needs a text or a file (give either --text or --file)\n"),
        (("--text", "a", "--file", "b"), "predict: needs a text or a file (give either --text or --file)\n"),
        (("--file", "nope"), "nope: no such file\n"),
    ],
)
def test_command_with_invalid_options_prints_one_line(hpo, checkpoint, words, message):
    assert hpo(checkpoint, *words) == (2, "", message)
