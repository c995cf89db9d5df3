"""Models that learn plain, IOB2 or BILOU labels give correct scores, spans and checkpoints."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from transformers import pipeline

from hpo.config.training_config import TrainingConfig
from hpo.corpora.label_sets import LABEL_SETS
from hpo.corpora.loading import load
from hpo.corpora.sentences import Corpus, Sentence
from hpo.corpora.spans import count, label_names, score
from hpo.corpora.tag_families import TagFamily
from hpo.encoding.corpus_encoder import encode_corpus
from hpo.encoding.encoded_corpus import EncodedCorpus, write_corpus
from hpo.encoding.notes import adjacent_entity_notes
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.encoding.window_dataset import IGNORE_INDEX, WindowDataset
from hpo.errors import UserError
from hpo.evaluation.checkpoint_scores import predict_split, require_matching_labels, score_checkpoint
from hpo.inference.predict import predict
from hpo.inference.tokenize_text import from_tokens
from hpo.models.checkpoints import load_checkpoint
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

torch.set_num_threads(1)
TYPES = ("person", "place")
SCHEMES = ("bio", "plain", "bilou")


@pytest.fixture(scope="module", params=SCHEMES)
def learned(request, corpus, tmp_path_factory):
    """A run with a label scheme: the scheme, its measurements, its checkpoint, and the label counts seen."""
    folder = tmp_path_factory.mktemp(request.param) / "best"
    seen, measured = {}, []
    loss = NerTrainer.compute_loss

    def recording_loss(self, model, inputs, *args, **kwargs):
        labels = inputs["labels"][inputs["labels"] != IGNORE_INDEX]
        seen["labels"] = max(seen.get("labels", 0), int(labels.max()) + 1)
        seen["outputs"] = model.config.num_labels
        return loss(self, model, inputs, *args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr(NerTrainer, "compute_loss", recording_loss)
    training_config = TrainingConfig(
        learning_rate=2e-3, epochs=6, batch_size=16, warmup_ratio=0.1, evals_per_epoch=1,
        label_scheme=request.param, class_weighting="effective", label_alignment="all",
    )  # fmt: skip
    train(
        TrainingTask(
            training_config=training_config, corpus=corpus.folder, model="tiny", train_on="cased", seed=1
        ),
        TrainingCallbacks(lambda each: measured.append(each) or True, lambda each: folder),
    )
    patch.undo()
    shutil.copytree(corpus.tokenizer, folder, dirs_exist_ok=True)
    return request.param, measured, folder, seen


def test_train_with_label_scheme_learns_the_labels_of_the_scheme(learned):
    scheme, measured, folder, seen = learned
    labels = json.loads((folder / "config.json").read_text())["id2label"]
    assert tuple(labels.values()) == LABEL_SETS[scheme].names(TYPES)
    assert seen["labels"] == seen["outputs"] == len(labels) == {"bio": 5, "plain": 3, "bilou": 9}[scheme]
    assert measured[-1].f1 > (0.8 if scheme == "plain" else 0.9)  # plain joins what touches


def test_checkpoint_scores_equal_those_of_training(learned, corpus):
    _, measured, folder, _ = learned
    best = max(measured, key=lambda each: each.sort_key)
    scores = score_checkpoint(folder, corpus, ("dev", "test"))["dev"]["cased"]
    predictions, split = predict_split(load_checkpoint(folder), corpus, "dev")
    assert (scores.f1, scores.precision) == (best.f1, best.precision)
    assert scores.gold == (split.labels % 2 == 1).sum()  # every B-
    assert predictions.gold.max() < 5 and predictions.predicted.max() < 5
    cased = np.bincount(split.forms[0], minlength=len(split.encoding_sentences))
    assert predictions.accuracy(cased) == best.accuracy


def test_predicted_spans_give_the_scores_of_the_checkpoint(learned, corpus, sentences):
    _, _, folder, _ = learned
    found = [each.labels for each in predict(folder, [from_tokens(list(s.tokens)) for s in sentences])]
    ids = {name: number for number, name in enumerate(label_names(TYPES))}
    offsets = np.concatenate([[0], np.cumsum([len(s.tokens) for s in sentences])])
    gold, said = (
        np.array([ids[label] for labels in each for label in labels])
        for each in ([s.labels for s in sentences], found)
    )
    expected = score_checkpoint(folder, corpus, ("train",))["train"]["cased"]
    scores = score(count(gold, said, offsets, len(TYPES)).by_type(), TYPES)
    assert (scores.correct, scores.predicted, scores.gold) == (
        expected.correct, expected.predicted, expected.gold
    )  # fmt: skip


def test_pipeline_with_plain_labels_aggregates_adjacent_tokens(learned):
    scheme, _, folder, _ = learned
    if scheme == "bilou":
        pytest.skip("the card shows hpo predict")
    tagger = pipeline("ner", str(folder), aggregation_strategy="simple")
    found = tagger("today Ada Lindqvist walked in Uppsala .")
    assert ("person", "Ada Lindqvist") in {(each["entity_group"], each["word"]) for each in found}


@pytest.mark.parametrize("alignment", ["first", "all"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_window_dataset_with_label_scheme_labels_subtokens(corpus, scheme, alignment):
    split = corpus.split("train")
    rows = WindowDataset(split, split.forms[0], corpus.pad_id, alignment, label_set=scheme)
    names = LABEL_SETS[scheme].names(TYPES)
    written = LABEL_SETS[scheme].from_iob2(split.labels, split.sentence_offsets)
    for row in range(40):
        labels = rows.__getitems__([row])["labels"][0].numpy()
        tokens = split.tokens[split.window_offsets[row] : split.window_offsets[row + 1]]
        before = None
        for token, label in zip(tokens, labels, strict=True):
            if token < 0 or (token == before and alignment == "first"):
                assert label == IGNORE_INDEX
            elif token == before:
                assert names[label] == names[written[token]].replace("B-", "I-")
            else:
                assert label == written[token]
            before = token
    counts = rows.label_counts(len(names))
    every = torch.cat([rows.__getitems__([row])["labels"][0] for row in range(len(rows))])
    assert counts.tolist() == [int((every == number).sum()) for number in range(len(names))]
    if alignment == "first":  # persons have two tokens here, places one
        assert {name for name, times in zip(names, counts, strict=True) if times} == {
            "bio": {"O", "B-person", "I-person", "B-place"},
            "plain": {"O", "person", "place"},
            "bilou": {"O", "B-person", "L-person", "U-place"},
        }[scheme]


def test_model_labels_with_auto_use_the_scheme_of_the_corpus(tmp_path, monkeypatch, sentences):
    monkeypatch.chdir(tmp_path)
    family = TagFamily(name="f", title="f", description="f", types=TYPES, mapping={t: t for t in TYPES})
    for scheme, expected in (("plain", "plain"), ("IOB1", "bio"), ("BMES", "bilou")):
        corpus = Corpus("c", {"train": sentences[:20], "dev": sentences[20:25]}, "0", scheme=scheme)
        data = encode_corpus(corpus, family, "tiny", EncodingOptions(32, seed=1))
        assert data.model_labels("auto") == (expected, LABEL_SETS[expected].names(TYPES))
        assert data.model_labels("plain")[0] == "plain"


def test_load_detects_the_label_scheme(tmp_path):
    (tmp_path / "train.tsv").write_text("Ada\tU-PER\nin\tO\nNew\tB-LOC\nYork\tL-LOC\n\n" * 3)
    assert load(str(tmp_path)).scheme == "BILOU"
    assert load("demo").scheme == "IOB2"


def test_adjacent_entities_under_plain_labels_give_a_note(tmp_path, tokenizer, sentences):
    touching = Sentence(("Ada", "Grace", "in", "Rose"), ("B-person", "B-person", "O", "B-place"))
    splits = {"train": (touching,), "dev": sentences[:3]}
    data = write_corpus(tmp_path, splits, label_names(TYPES), tokenizer, EncodingOptions(32, seed=1))
    note = "train: 1 of 3 entities directly follow one of the same type; plain labels merge them"
    assert adjacent_entity_notes(data, ("bio", "plain")) == (note,)
    assert adjacent_entity_notes(data, ("bio", "auto")) == ()
    plain = dataclasses.replace(data, native_label_set="plain")
    assert adjacent_entity_notes(plain, ("auto",)) == (note,)


def test_checkpoint_of_other_types_is_rejected_in_every_scheme(learned, corpus):
    _, _, folder, _ = learned
    require_matching_labels(folder, corpus)
    other = dataclasses.replace(corpus, label_names=label_names(("person", "animal")))
    with pytest.raises(UserError, match="the checkpoint's labels must be those of the tag family"):
        require_matching_labels(folder, other)


def test_encoded_corpus_without_label_scheme_is_iob2(corpus, tmp_path):
    shutil.copytree(corpus.folder, tmp_path / "old")
    facts = json.loads((tmp_path / "old" / "encoding.json").read_text())
    del facts["own_labels"]
    (tmp_path / "old" / "encoding.json").write_text(json.dumps(facts))
    assert EncodedCorpus.open(tmp_path / "old").model_labels("auto")[0] == "bio"
