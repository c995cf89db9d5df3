"""Builds everything that a search reads before anything is written: corpus, encodings, resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from hpo.config.domain import Domain
from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.config.training_config import TrainingConfig
from hpo.corpora.loading import load
from hpo.corpora.sentences import SPLITS, Corpus
from hpo.corpora.tag_families import TagFamily, load_family
from hpo.corpora.tag_families import apply as apply_family
from hpo.environment import available_cores, describe_environment, gpu_names
from hpo.errors import Issue, UserError
from hpo.storage.study_folder import StudyFolder

if TYPE_CHECKING:  # these modules import transformers and ray
    from hpo.encoding.encoded_corpus import EncodedCorpus
    from hpo.search.ray.driver import Resources

    Encodings: TypeAlias = Mapping[tuple[int, int], EncodedCorpus]


@dataclass(frozen=True)
class PreparedStudy:
    """A study with everything that its search and its scoring read.

    ``corpus`` carries the labels of ``family``. ``encodings`` holds the encoded corpus for each pair of
    ``max_length`` and ``context`` that a trial may use. ``resources`` belong to a Ray cluster if
    ``on_cluster``, otherwise to this machine.
    """

    study: Study
    folder: StudyFolder
    corpus: Corpus
    family: TagFamily
    encodings: Encodings
    resources: Resources
    on_cluster: bool

    def encoding_for(self, params: Params) -> EncodedCorpus:
        """Return the corpus as a trial with these hyperparameters reads it."""
        training_config = self.study.training_config(params)
        return self.encodings[training_config.max_length, training_config.context]

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Versions, commit, machine and corpus of the study, as ``environment.json`` stores them."""
        return describe_environment() | {"corpus_sha256": self.corpus.sha256, "notes": self.corpus.notes}


def prepare_study(study: Study, folder: StudyFolder) -> PreparedStudy:
    """Read and encode the corpus of a study and plan its resources.

    Raises
    ------
    UserError
        If the corpus, the tag family or the model is invalid, or a trial needs more GPUs than a machine has.
    """
    from hpo.encoding.notes import adjacent_entity_notes, long_sentence_notes

    resources, on_cluster = plan_search(study)
    corpus, family = read_corpus(study)
    encodings = encode_study(study, corpus, family)
    schemes = study.possible["label_scheme"]
    adjacent = adjacent_entity_notes(next(iter(encodings.values())), schemes)
    corpus = replace(corpus, notes=(*corpus.notes, *long_sentence_notes(encodings), *adjacent))
    return PreparedStudy(study, folder, corpus, family, encodings, resources, on_cluster)


def read_corpus(study: Study) -> tuple[Corpus, TagFamily]:
    """Read the corpus of a study, with the labels of its tag family and the splits that it asks for.

    Raises
    ------
    UserError
        If the corpus or the family is invalid, or train or dev has no sentences; the error lists all
        problems.
    """
    family = load_family(study.tags)
    fractions = {str(name): fraction for name, fraction in study.subsample.items()}
    corpus = load(study.data, seed=study.seed, dev_fraction=study.dev_fraction, subsample=fractions)
    corpus = apply_family(family, corpus)
    missing = [
        Issue(
            study.data,
            f"the {split} split has no sentences",
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
        f"the model was trained on {name}, so its {name} scores are not on unseen text"
        for name in study.train_splits
        if name != "train"
    )
    return replace(corpus, splits=splits, notes=(*corpus.notes, *seen)), family


def encode_study(study: Study, corpus: Corpus, family: TagFamily) -> Encodings:
    """Encode the corpus for each pair of ``max_length`` and ``context`` that a trial may use.

    The model is built once as well, so that an unsuitable model is rejected before any trial starts.

    Raises
    ------
    UserError
        If the model or its tokenizer cannot be loaded, or lacks what a searched hyperparameter needs.
    """
    from hpo.encoding.corpus_encoder import encode_corpus
    from hpo.encoding.sentence_encoder import EncodingOptions
    from hpo.models.build import build_model
    from hpo.training.optimizer import check_model_supports

    training_config = study.training_config(
        {name: demanding_value(name, domain) for name, domain in study.space.parameters.items()}
    )
    possible = study.possible
    encodings = {
        (max_length, context): encode_corpus(
            corpus,
            family,
            study.model,
            EncodingOptions(max_length=max_length, seed=study.seed, context=context),
            exact_length="max_length" in training_config.model_fields_set,
        )
        for max_length, context in product(possible["max_length"], possible["context"])
    }
    data = next(iter(encodings.values()))
    model = build_model(study.model, data.label_names, data.vocabulary, training_config, study.seed)
    for name, domain in study.space.parameters.items():
        for value in domain.ends:
            check_model_supports(model, training_config.model_copy(update={name: value}))
    return encodings


def demanding_value(hyperparameter: str, domain: Domain) -> Any:
    """Return a searched value that requires something of the model: one that is not the default.

    For example 8 for ``lora_r`` in [0, 8], since 0 turns LoRA off. The default if it is the only value.
    """
    default = TrainingConfig.model_fields[hyperparameter].default
    return next((value for value in domain.ends if value != default), default)


def plan_search(study: Study) -> tuple[Resources, bool]:
    """Return the resources of a search, and whether they belong to a Ray cluster.

    The environment variable ``HPO_RAY_ADDRESS`` names the cluster; without it this machine is used.

    Raises
    ------
    UserError
        If the cluster does not answer, or a trial needs more GPUs than one machine has.
    """
    from hpo.search.ray.driver import cluster_nodes, plan_cluster, plan_resources

    if nodes := cluster_nodes():
        return plan_cluster(study.workers, study.gpus_per_trial, nodes), True
    return plan_resources(study.workers, study.gpus_per_trial, available_cores(), len(gpu_names())), False
