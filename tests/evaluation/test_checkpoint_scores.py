"""Tests of scoring a checkpoint with the window length and context that it was trained with."""

import pytest

from hpo.config.training_config import TrainingConfig
from hpo.corpora.loading import load
from hpo.corpora.tag_families import apply, load_family
from hpo.encoding.corpus_encoder import encode_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.evaluation import checkpoint_scores as checkpoints
from hpo.evaluation.checkpoint_scores import evaluate_checkpoint, score_checkpoint
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import train
from hpo.workflows.export import export_checkpoint

SENTENCES = "Ada B-PER\nran O\nhome O\n\nin O\nUppsala B-LOC\n\n" * 12


@pytest.mark.parametrize(
    "pooling, context",
    [
        ("first", 8),
        pytest.param("mean", 8, marks=pytest.mark.slow),
        pytest.param("first", 0, marks=pytest.mark.slow),
    ],
)
def test_evaluate_checkpoint_uses_the_trained_window_and_context(empty_folder, monkeypatch, pooling, context):
    corpus_folder = empty_folder / "corpus"
    corpus_folder.mkdir()
    for split in ("train", "dev"):
        (corpus_folder / f"{split}.conll").write_text(SENTENCES)
    family = load_family("conll")
    corpus = apply(family, load(str(corpus_folder)))
    data = encode_corpus(corpus, family, "tiny", EncodingOptions(max_length=20, seed=1, context=context))
    training_config = TrainingConfig(
        epochs=1, evals_per_epoch=1, learning_rate=2e-3, batch_size=4, context=context, pooling=pooling
    )
    kept = empty_folder / "kept"
    train(
        TrainingTask(
            training_config=training_config, corpus=data.folder, model="tiny", train_on="cased", seed=1
        ),
        TrainingCallbacks(lambda each: True, lambda each: kept),
    )
    export_checkpoint(kept, empty_folder / "best", data.tokenizer)
    used = []

    def watched(corpus, family, model, options):
        used.append(options)
        return encode_corpus(corpus, family, model, options)

    monkeypatch.setattr(checkpoints, "encode_corpus", watched)
    scores = evaluate_checkpoint(empty_folder / "best", str(corpus_folder), "conll", 1)
    assert [(options.max_length, options.context) for options in used] == [(20, context)]
    assert scores["dev"] == score_checkpoint(empty_folder / "best", data, ("dev",))["dev"]
