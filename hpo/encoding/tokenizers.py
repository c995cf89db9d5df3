"""Tokenizers: loaded from the hub or a folder, or a WordPiece vocabulary trained for the model ``tiny``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoTokenizer, BertTokenizerFast, PreTrainedTokenizerBase

from hpo.config.training_config import TINY
from hpo.encoding.model_config import encoder_config
from hpo.errors import Issue, UserError

TINY_VOCABULARY = 3000
TINY_MAX_LENGTH = 256
UNLIMITED = 10**9
"""The maximum length of models with relative positions only."""
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_BYTE_LEVEL = ("roberta", "longformer", "bart", "gpt2", "deberta", "led")
_OFFSET_POSITIONS = (
    "roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "longformer", "mpnet",
    "data2vec-text", "ibert", "xmod", "luke", "lilt",
)  # fmt: skip
"""Families whose positions start after the padding index."""


def train_wordpiece(
    sentences: Iterable[Sequence[str]], vocabulary: int = TINY_VOCABULARY
) -> PreTrainedTokenizerBase:
    """Train a cased WordPiece tokenizer, as BERT uses it, on tokenized sentences.

    The result depends on the sentences only. It has at most ``vocabulary`` entries, unless the single
    characters alone are more.
    """
    texts = [" ".join(tokens) for tokens in sentences]
    learner = _wordpiece({special: number for number, special in enumerate(_SPECIAL)})
    learner.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=vocabulary,
            # The trainer numbers single characters in hash map order and breaks ties between merges by
            # these numbers. Listing the characters as special tokens fixes the numbers.
            special_tokens=[*_SPECIAL, *_characters(texts, learner)],
            show_progress=False,
            min_frequency=2,
        ),
    )
    # In a new tokenizer the characters are ordinary entries, not special tokens.
    backend = _wordpiece(learner.get_vocab())
    special = [(token, _SPECIAL.index(token)) for token in ("[SEP]", "[CLS]")]  # the order of the arguments
    backend.post_processor = processors.BertProcessing(*special)
    return BertTokenizerFast(
        tokenizer_object=backend,
        do_lower_case=False,
        strip_accents=False,
        model_max_length=TINY_MAX_LENGTH,
    )


def _wordpiece(vocabulary: dict[str, int]) -> Tokenizer:
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return backend


def _characters(texts: Sequence[str], backend: Tokenizer) -> list[str]:
    """Return every character of the normalized texts, as the start of a word and as a continuation."""
    found = sorted(
        {character for text in texts for character in backend.normalizer.normalize_str(text)} - {" "}
    )
    return [*found, *(f"##{character}" for character in found)]


def load_tokenizer(model: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a hub id or a local folder.

    Raises
    ------
    UserError
        If the tokenizer cannot be loaded or has no subtokens.
    """
    try:
        config = encoder_config(AutoConfig.from_pretrained(model, trust_remote_code=False))
        # Byte-level BPE marks word starts by a leading space, which pre-split tokens lack.
        options = {"add_prefix_space": True} if config.model_type in _BYTE_LEVEL else {}
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False, **options)
    except Exception as error:  # a broken tokenizer.json can raise anything
        raise _load_error(model, first_line(error)) from None
    # transformers builds a tokenizer without subtokens for a folder without tokenizer files.
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise _load_error(model, "its tokenizer has no subtokens")
    return tokenizer


def _load_error(model: str, reason: str) -> UserError:
    hint = f"give a hub id or a folder with config, tokenizer and safetensors; {reason}"
    return UserError(Issue("model", "no tokenizer can be loaded from it", model, hint))


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, preceded by its type if it is a single word."""
    message = str(error).strip().split("\n", 1)[0]
    return message if " " in message else f"{type(error).__name__}: {message}"


def longest_window(tokenizer: PreTrainedTokenizerBase, model: str) -> int:
    """Return the model's maximum input length in subtokens, special tokens included, or `UNLIMITED`.

    Raises
    ------
    UserError
        If the model's configuration cannot be loaded.
    """
    if model == TINY:
        return TINY_MAX_LENGTH
    try:
        config = encoder_config(AutoConfig.from_pretrained(model, trust_remote_code=False))
    except Exception as error:
        raise UserError(Issue("model", "cannot be loaded", model, first_line(error))) from None
    absolute = getattr(config, "position_biased_input", True)  # DeBERTa's flag; False in v3
    limit = getattr(config, "max_position_embeddings", None)
    if not absolute or not limit:  # relative positions only: the tokenizer's maximum is a recommendation
        return UNLIMITED
    if config.model_type in _OFFSET_POSITIONS:
        limit -= config.pad_token_id + 1
    return int(min(limit, tokenizer.model_max_length))
