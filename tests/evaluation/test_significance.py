"""Tests of the significance of F1 differences, against exact counts and nominal error rates."""

import itertools
import json
import random
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.corpora.variants import VARIANTS
from hpo.evaluation.significance import compare_checkpoints, compare_counts, count_by_sentence


def f1(rows):
    correct, predicted, gold = rows.sum(axis=0)
    return 2 * correct / (predicted + gold)


def draw_counts(rng, sentences, skill):
    gold = rng.integers(1, 5, sentences)
    correct = rng.binomial(gold, skill)
    return np.stack([correct, correct + rng.binomial(gold - correct, 0.5), gold], axis=1)


def pair(seed, sentences, skills):
    rng = np.random.default_rng(seed)
    first = draw_counts(rng, sentences, skills[0])
    second = first.copy()
    second[:, 0] = rng.binomial(first[:, 2], skills[1])
    second[:, 1] = second[:, 0] + rng.binomial(first[:, 2] - second[:, 0], 0.5)
    return first, second


def test_compare_counts_p_is_the_share_of_all_exchanges():
    first, second = pair(3, 7, (0.5, 0.8))
    observed = abs(f1(second) - f1(first))
    found = 0
    for swap in itertools.product([False, True], repeat=7):
        mask = np.array(swap)[:, None]
        one, other = np.where(mask, second, first), np.where(mask, first, second)
        found += abs(f1(other) - f1(one)) >= observed - 1e-12
    result = compare_counts(first, second, seed=1, permutations=50_000)
    assert result.p == pytest.approx(found / 2**7, abs=0.01)
    assert result.difference == pytest.approx(f1(second) - f1(first))


def test_compare_counts_with_a_clear_difference_is_significant_both_ways():
    first, second = pair(1, 300, (0.6, 0.8))
    better = compare_counts(first, second, seed=1)
    worse = compare_counts(second, first, seed=1)
    assert better.p == worse.p == 1 / 10_001
    assert 0 < better.low < better.difference < better.high
    assert worse.high < 0
    assert worse.difference == -better.difference


def test_compare_counts_of_equal_models_has_the_nominal_false_positive_rate():
    p = [compare_counts(*pair(seed, 60, (0.7, 0.7)), seed=seed, permutations=400).p for seed in range(200)]
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.1


def test_compare_counts_interval_has_the_nominal_coverage():
    truth = compare_counts(*pair(0, 100_000, (0.6, 0.7)), seed=0, permutations=1).difference
    held = [
        (each := compare_counts(*pair(seed, 80, (0.6, 0.7)), seed=seed, permutations=400)).low
        <= truth
        <= each.high
        for seed in range(1, 201)
    ]
    assert 0.9 <= np.mean(held) <= 0.99


@given(st.integers(0, 1000))
def test_compare_counts_of_a_model_with_itself_has_no_difference(seed):
    first, _ = pair(seed, 5, (0.5, 0.5))
    same = compare_counts(first, first, seed=seed, permutations=20)
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_compare_counts_with_different_gold_spans_is_refused():
    first, _ = pair(0, 5, (0.5, 0.5))
    with pytest.raises(ValueError, match="same sentences"):
        compare_counts(first, first + 1, seed=0)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two random models with different vocabularies."""
    from hpo.config.training_config import TrainingConfig
    from hpo.corpora.spans import label_names
    from hpo.corpora.tag_families import load_family
    from hpo.encoding.tokenizers import train_wordpiece
    from hpo.models.build import build_model

    folders = []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp("model")
        tokenizer = train_wordpiece([["Ada", "in", "Uppsala", "walked"]], vocabulary=30 * seed)
        model = build_model(
            "tiny", label_names(load_family("conll").types), len(tokenizer), TrainingConfig(), seed
        )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        folders.append(folder)
    return folders


@pytest.mark.slow
def test_compare_checkpoints_scores_equal_those_of_evaluate(models, empty_folder, monkeypatch, capsys):
    from hpo.cli import app as cli
    from hpo.evaluation.checkpoint_scores import evaluate_checkpoint

    draw = random.Random(5)
    rows = []
    for _ in range(40):
        tokens = draw.choices(["Ada", "in", "Uppsala", "walked"], k=draw.randint(1, 9))
        labels = [draw.choice(["B-PER", "B-LOC", "O"]) for _ in tokens]
        rows.append(json.dumps({"tokens": tokens, "ner_tags": labels}))
    (empty_folder / "test.jsonl").write_text("\n".join(rows))
    found = compare_checkpoints(*models, "test.jsonl", "conll", seed=3)
    assert tuple(found) == VARIANTS
    for place, folder in enumerate(models):
        scores = evaluate_checkpoint(folder, "test.jsonl", "conll", 3)["test"]
        for variant, each in found.items():
            assert (each.first, each.second)[place] == pytest.approx(scores[variant].f1, abs=1e-12)
            assert each.sentences == 40

    monkeypatch.setattr(sys, "argv", ["hpo", "compare", *map(str, models), "--data", "test.jsonl"])
    sys.argv += ["--tags", "conll", "--seed", "3", "--json"]
    with pytest.raises(SystemExit):
        cli.main()
    assert json.loads(capsys.readouterr().out)["cased"]["p"] == found["cased"].p


def test_count_by_sentence_of_a_both_variant_sums_the_two_forms():
    from hpo.corpora.spans import count
    from hpo.corpora.variants import arrange

    gold = np.array([1, 0, 1, 0, 1, 0])
    counts = count(gold, gold, np.array([0, 2, 4, 6]), 1)
    form_index = np.array([[0, 1], [0, 2], [0, 1]])
    layout = arrange("uncased-cased-both", np.array([False, True]))
    assert count_by_sentence(counts, form_index, layout).tolist() == [[2, 2, 2], [2, 2, 2]]
