"""Turns a study into what its search needs: corpus, encodings, resources, initial points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from hpo.config.search_space import Parameter
from hpo.config.study import Study, stored_study
from hpo.config.training_config import TrainingConfig
from hpo.corpora.loading import load
from hpo.corpora.sentences import SPLITS, Corpus
from hpo.corpora.tag_families import TagFamily, load_family
from hpo.corpora.tag_families import apply as apply_family
from hpo.environment import available_cores, gpu_names
from hpo.errors import Issue, UserError
from hpo.search.initial_points import warm_start
from hpo.search.trial import (
    read_trials,
)
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder

if TYPE_CHECKING:  # it brings transformers, which hpo ls has no use for
    from hpo.encoding.encoded_corpus import EncodedCorpus
    from hpo.search.ray.driver import Resources

    Readings: TypeAlias = Mapping[tuple[int, int], EncodedCorpus]


def encode(study: Study, corpus: Corpus, family: TagFamily) -> EncodedCorpus:
    """As `encode_each`, the first of them: of a study whose trials all read alike."""
    return next(iter(encode_each(study, corpus, family).values()))


def encode_each(study: Study, corpus: Corpus, family: TagFamily) -> Readings:
    """Encode the corpus in each way that a trial may read it, by ``max_length`` and ``context``.

    The model is loaded once, so that what is wrong with it is told before any trial starts.
    """
    from hpo.encoding.corpus_encoder import encode_corpus
    from hpo.models.build import build_model
    from hpo.training.optimizer import check_model_supports

    training_config = study.training_config(
        {name: _telling(name, domain) for name, domain in study.space.parameters.items()}
    )
    possible = study.space.possible(study.space.fixed | study.fixed)
    readings = {
        (max_length, context): encode_corpus(
            corpus,
            family,
            study.model,
            max_length=max_length,
            seed=study.seed,
            context=context,
            exactly="max_length" in training_config.model_fields_set,
        )
        for max_length, context in product(possible["max_length"], possible["context"])
    }
    data = next(iter(readings.values()))
    model = build_model(study.model, data.label_names, data.vocabulary, training_config, study.seed)
    for name, domain in study.space.parameters.items():
        for value in domain.ends:
            check_model_supports(model, training_config.model_copy(update={name: value}))
    return readings


def _telling(hyperparameter: str, domain: Parameter) -> Any:
    """A searched value of a hyperparameter that asks something of the model, where there is one."""
    default = TrainingConfig.model_fields[hyperparameter].default
    return next((value for value in domain.ends if value != default), default)


def plan_search(study: Study) -> tuple[Resources, bool]:
    """What a study may use of this machine, or of the cluster that the environment names, and whether of one.

    Raises
    ------
    UserError
        if the cluster does not answer, or a trial wants more GPUs than one machine has.
    """
    from hpo.search.ray.driver import cluster_nodes, plan_cluster, plan_resources

    if nodes := cluster_nodes():
        return plan_cluster(study.workers, study.gpus_per_trial, nodes), True
    return plan_resources(study.workers, study.gpus_per_trial, available_cores(), len(gpu_names())), False


def refuse_another(study: Study, folder: StudyFolder) -> None:
    """Refuse to run a study in the folder of one that looks for something else.

    Raises
    ------
    UserError
        with each field in which they differ.
    """
    if not folder.study.exists():
        return
    there, here = stored_study(folder).identity, study.identity
    issues = [
        Issue(
            f"study {study.name}",
            f"stands under results/ with {field} = {there[field]!r}, and is asked for with",
            here[field],
            "give another STUDY name, or the same settings to go on with it",
        )
        for field in here
        if there[field] != here[field]
    ]
    if issues:
        raise UserError(issues)


def start_warm(study: Study) -> Study:
    """The study with the best of the studies that it names as its points to evaluate.

    Raises
    ------
    UserError
        if one of them is not under results/.
    """
    folders = [StudyFolder(name) for name in study.warm_start]
    for folder in folders:
        stored_study(folder)
    earlier = [read_trials(read_lines(folder.trials)) for folder in folders]
    return study.model_copy(update={"space": warm_start(study.space, earlier)}) if earlier else study


def free_name(study: Study) -> Study:
    """The study under its own name, or under one with a number where another study has taken that."""
    number = 1
    named = study
    while True:
        folder = StudyFolder(named.name)
        if not folder.study.exists() or stored_study(folder).identity == study.identity:
            return named
        number += 1
        named = study.model_copy(update={"name": f"{study.name}-{number}"})


def read_corpus(study: Study) -> tuple[Corpus, TagFamily]:
    """The corpus of a study in its family's labels, split as the study asks.

    Raises
    ------
    UserError
        with every problem of the corpus or the family, or if train or dev has no sentence.
    """
    family = load_family(study.tags)
    prune = {str(name): share for name, share in study.subsample.items()}
    corpus = load(study.data, seed=study.seed, dev_share=study.dev_fraction, prune=prune)
    corpus = apply_family(family, corpus)
    missing = [
        Issue(
            study.data,
            f"a study needs {split}, and has no sentence in it",
            None,
            "; ".join(corpus.notes) or "name the files in a corpus.yaml beside them",
        )
        for split in dict.fromkeys((*study.train_splits, "dev"))
        if not corpus.splits.get(split)
    ]
    if missing:
        raise UserError(missing)
    splits = {name: corpus.splits[name] for name in SPLITS if corpus.splits.get(name)}
    splits["train"] = tuple(sentence for name in study.train_splits for sentence in corpus.splits[name])
    seen = tuple(
        f"{name} was trained on, so its scores are not of unseen text"
        for name in study.train_splits
        if name != "train"
    )
    return replace(corpus, splits=splits, notes=(*corpus.notes, *seen)), family
