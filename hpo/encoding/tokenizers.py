"""Tokenizers: a hub's or a folder's own, or a WordPiece vocabulary trained for the model ``tiny``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoTokenizer,
    BertTokenizerFast,
    ByT5Tokenizer,
    PreTrainedTokenizerBase,
)

from hpo.config.training_config import TINY
from hpo.encoding.model_config import encoder_config
from hpo.errors import Issue, UserError

TINY_VOCABULARY = 3000
TINY_MAX_LENGTH = 256
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_wordpiece(
    sentences: Iterable[Sequence[str]], vocabulary: int = TINY_VOCABULARY
) -> PreTrainedTokenizerBase:
    """Train a cased WordPiece tokenizer of BERT's kind on tokenized sentences.

    The same sentences give the same vocabulary, of at most ``vocabulary`` entries where the
    characters alone are not more.
    """
    texts = [" ".join(tokens) for tokens in sentences]
    learner = _wordpiece({special: number for number, special in enumerate(_SPECIAL)})
    learner.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=vocabulary,
            # The trainer numbers single characters in the order of a hash map, and breaks ties between
            # merges by these numbers; named beforehand, they have the same numbers in every run.
            special_tokens=[*_SPECIAL, *_characters(texts, learner)],
            show_progress=False,
            min_frequency=2,
        ),
    )
    # A fresh one, to which the characters are ordinary entries and not special tokens.
    backend = _wordpiece(learner.get_vocab())
    frame = [(special, _SPECIAL.index(special)) for special in ("[SEP]", "[CLS]")]  # ids in the order given
    backend.post_processor = processors.BertProcessing(*frame)
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
    """Every character of the normalized texts, as a word's start and as its continuation."""
    found = sorted(
        {character for text in texts for character in backend.normalizer.normalize_str(text)} - {" "}
    )
    return [*found, *(f"##{character}" for character in found)]


def load_tokenizer(model: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a hub id or a local folder.

    Raises
    ------
    UserError
        if it cannot be loaded, or knows no subtokens.
    """
    try:
        config = encoder_config(AutoConfig.from_pretrained(model, trust_remote_code=False))
        # Byte-level BPE marks word starts by a leading space, which pre-split tokens lack.
        spaced = {"add_prefix_space": True} if config.model_type in _BYTE_LEVEL else {}
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False, **spaced)
    except Exception as error:  # a broken tokenizer.json ends in whatever its reader stumbles over
        raise _refusal(model, first_line(error)) from None
    # Of a folder without tokenizer files transformers makes one to which every word is unknown.
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise _refusal(model, "the one that it has knows no subtokens")
    return tokenizer


def _refusal(model: str, reason: str) -> UserError:
    hint = f"give a hub id or a folder with config, tokenizer and safetensors; {reason}"
    return UserError(Issue("model", "no tokenizer can be loaded from it", model, hint))


_BYTE_LEVEL = ("roberta", "longformer", "bart", "gpt2", "deberta", "led")


def first_line(error: Exception) -> str:
    """What a library's error says, or its kind where it says nothing in words of its own."""
    said = str(error).strip().split("\n", 1)[0]
    return said if " " in said else f"{type(error).__name__}: {said}"


def longest_window(tokenizer: PreTrainedTokenizerBase, model: str) -> int:
    """The most subtokens, special ones included, that the model reads at once; `UNLIMITED` if any number.

    Raises
    ------
    UserError
        if the model's configuration cannot be loaded.
    """
    if model == TINY:
        return TINY_MAX_LENGTH
    try:
        config = encoder_config(AutoConfig.from_pretrained(model, trust_remote_code=False))
    except Exception as error:
        raise UserError(Issue("model", "cannot be loaded", model, first_line(error))) from None
    absolute = getattr(config, "position_biased_input", True)  # DeBERTa's word for it; v3 has none
    limit = getattr(config, "max_position_embeddings", None)
    if not absolute or not limit:  # it knows distances only, whatever length its tokenizer recommends
        return UNLIMITED
    if config.model_type in _OFFSET_POSITIONS:
        limit -= config.pad_token_id + 1
    return int(min(limit, tokenizer.model_max_length))


UNLIMITED = 10**9
_OFFSET_POSITIONS = (
    "roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "longformer", "mpnet",
    "data2vec-text", "ibert", "xmod", "luke", "lilt",
)  # fmt: skip
"""Families whose positions start after the padding index."""


WORDS_AT_ONCE = 1000
"""Words that a tokenizer reads as one input."""


@dataclass(frozen=True)
class Subwords:
    """Subtokens of distinct words: those of word ``i`` are ``ids[offsets[i]:offsets[i + 1]]``.

    ``joint`` stands between two words of a sentence and belongs to neither.
    """

    ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    prefix: npt.NDArray[np.int32]
    suffix: npt.NDArray[np.int32]
    joint: npt.NDArray[np.int32]

    def shortened(self, longest: int) -> Subwords:
        """The same, of each word no more than the first ``longest`` subtokens."""
        lengths = np.diff(self.offsets)
        if lengths.max(initial=0) <= longest:
            return self
        place = np.arange(len(self.ids)) - np.repeat(self.offsets[:-1], lengths)
        offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, longest))])
        return replace(self, ids=self.ids[place < longest], offsets=offsets)

    def framed(self) -> Subwords:
        """The same and three words more: the prefix, the suffix and the joint."""
        frame = (self.prefix, self.suffix, self.joint)
        ends = len(self.ids) + np.cumsum([len(each) for each in frame])
        return replace(self, ids=np.concatenate([self.ids, *frame]), offsets=np.append(self.offsets, ends))


def encode_words(tokenizer: PreTrainedTokenizerBase, words: list[str]) -> Subwords:
    """Encode each distinct word by itself.

    A pre-split sentence is encoded word by word, so that the subtokens of a sentence are those of
    its words in a row: encoding every distinct word once gives the same at a fraction of the work.
    A word that a tokenizer's normalizer makes vanish (a lone soft hyphen) becomes one unknown
    subtoken, since without any its label would be lost.

    To ByT5 a sentence is the bytes of its words with a space between two of them, as its own tokenizer
    reads the joined words; the space belongs to neither, so that a word's first subtoken is its first byte.
    A word that looks like a special token (``</s>``) is spelled out.
    """
    prefix, suffix = _frame(tokenizer)
    if isinstance(tokenizer, ByT5Tokenizer):
        flat, lengths = _bytes_of(words, tokenizer)
        space = np.asarray([ord(" ") + tokenizer.offset], np.int32)
        return Subwords(flat, np.concatenate([[0], np.cumsum(lengths)]), prefix, suffix, space)
    ids, word_of = _subtokens(tokenizer, words)
    lengths = np.bincount(word_of, minlength=len(words))
    vanished = np.flatnonzero(lengths == 0)
    unknown = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else tokenizer.pad_token_id
    ids = np.insert(ids, np.searchsorted(word_of, vanished), unknown)
    lengths[vanished] = 1
    return Subwords(ids, np.concatenate([[0], np.cumsum(lengths)]), prefix, suffix, np.empty(0, np.int32))


def _subtokens(
    tokenizer: PreTrainedTokenizerBase, words: list[str]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The subtokens of words, end to end, and which word each is of; some words may have none.

    Many words make one input, since each input costs far more than a word.
    """
    chunks = [words[at : at + WORDS_AT_ONCE] for at in range(0, len(words), WORDS_AT_ONCE)]
    if not chunks:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    read = tokenizer(
        chunks,
        is_split_into_words=True,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # of inputs over the model's length, which these are not for
    )
    found = [
        np.asarray(read.word_ids(number), np.int64) + number * WORDS_AT_ONCE for number in range(len(chunks))
    ]
    ids = [np.asarray(each, np.int32) for each in read["input_ids"]]
    return np.concatenate(ids), np.concatenate(found)


def _bytes_of(
    words: list[str], tokenizer: ByT5Tokenizer
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The bytes of words as ByT5 numbers them, and how many each has; an empty word is one NUL."""
    spelled = [word.encode("utf-8", "surrogatepass") or b"\0" for word in words]
    ids = np.frombuffer(b"".join(spelled), np.uint8).astype(np.int32) + tokenizer.offset
    lengths = np.fromiter(map(len, spelled), np.int64, len(spelled))
    return ids, lengths


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The special tokens before and after a sentence: [CLS] and [SEP], nothing and </s>, …"""
    framed = tokenizer([["a"]], is_split_into_words=True, return_special_tokens_mask=True)
    ids = np.asarray(framed["input_ids"][0], np.int32)
    inner = np.flatnonzero(np.asarray(framed["special_tokens_mask"][0]) == 0)
    return ids[: inner[0]], ids[inner[-1] + 1 :]
