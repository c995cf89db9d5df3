"""Encodes a corpus for a model, or returns the cached result of an earlier call with the same input."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from transformers import PreTrainedTokenizerBase

from hpo.config.training_config import TINY
from hpo.corpora.label_sets import DEFAULT_LABEL_SETS
from hpo.corpora.sentences import Corpus
from hpo.corpora.spans import label_names
from hpo.corpora.tag_families import TagFamily
from hpo.encoding.encoded_corpus import EncodedCorpus, write_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.encoding.tokenizers import load_tokenizer, longest_window, train_wordpiece
from hpo.errors import Issue, UserError
from hpo.storage.cache import cached_folder

LAYOUT = 2
"""Version of what `write_corpus` writes; increase it when the files change, to ignore old caches."""


def encode_corpus(
    corpus: Corpus, family: TagFamily, model: str, options: EncodingOptions, *, exact_length: bool = False
) -> EncodedCorpus:
    """Encode every split of a corpus, which carries the family's labels already, for a model.

    ``model`` is ``tiny``, whose vocabulary is trained on the train split, a hub id or a folder. Windows are
    limited to the model's maximum input length; with ``exact_length``, a larger ``max_length`` is an error.

    Raises
    ------
    UserError
        If the model's tokenizer cannot be loaded, or ``max_length`` is too large and must be exact.
    """
    if model == TINY:
        tokenizer = train_wordpiece(sentence.tokens for sentence in corpus.splits["train"])
    else:
        tokenizer = load_tokenizer(model)
    longest = longest_window(tokenizer, model)
    if exact_length and options.max_length > longest:
        message = f"must be at most {longest}, the longest input of {model}"
        hint = f"set max_length={longest}; longer sentences are split into several windows"
        raise UserError(Issue("max_length", message, options.max_length, hint))
    options = replace(options, max_length=min(options.max_length, longest))
    # The checkpoint stores this length with the tokenizer, so that it is scored as it was trained.
    tokenizer.model_max_length = options.max_length
    names, label_set = label_names(family.types), DEFAULT_LABEL_SETS[corpus.scheme]
    key = _fingerprint(corpus, (*names, label_set), tokenizer, options)
    folder = cached_folder(
        key, lambda new: write_corpus(new, corpus.splits, names, tokenizer, options, label_set)
    )
    return EncodedCorpus.open(folder.resolve())


def _fingerprint(
    corpus: Corpus, names: tuple[str, ...], tokenizer: PreTrainedTokenizerBase, options: EncodingOptions
) -> str:
    settings = [LAYOUT, names, options.max_length, options.context, options.seed]
    digest = hashlib.sha256(json.dumps(settings).encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = (
        backend.to_str() if backend is not None else json.dumps(sorted(tokenizer.get_vocab().items()))
    )
    digest.update(vocabulary.encode())
    for name, sentences in corpus.splits.items():
        digest.update(name.encode())
        for sentence in sentences:
            fields = (sentence.identity, sentence.tokens, sentence.labels, sentence.document)
            digest.update(repr(fields).encode())
    return digest.hexdigest()[:24]
