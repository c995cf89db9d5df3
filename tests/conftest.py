"""Fixtures that several test packages share."""

import random

import pytest
import transformers
from hypothesis import settings

from hpo.corpora.sentences import Sentence
from hpo.corpora.spans import label_names
from hpo.encoding.encoded_corpus import write_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.encoding.tokenizers import train_wordpiece
from hpo.training.measurement import Measurement

settings.register_profile("steady", deadline=None)  # a busy machine is no problem of the code
settings.load_profile("steady")


@pytest.fixture(scope="session")
def measure():
    """Function that makes a measurement from an epoch, an F1 and a loss."""

    def make(epoch, f1, loss=0.5):
        return Measurement(
            epoch=epoch, step=int(10 * epoch), f1=f1, precision=f1, recall=f1, loss=loss, train_loss=loss,
            seconds=epoch,
        )  # fmt: skip

    return make


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """An empty working directory, for code that uses results/ or the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


TYPES = ("person", "place")
NAMES = ("Ada", "Grace", "Linus", "Margaret")
PLACES = ("Uppsala", "Åbo", "São Paulo", "Rose")


def make_sentences(count: int, seed: int = 0) -> tuple[Sentence, ...]:
    """Return random sentences whose labels are a function of their words."""
    draw = random.Random(seed)
    sentences = []
    for number in range(count):
        tokens, labels = ["today"], ["O"]
        for _ in range(draw.randint(1, 6)):
            kind = draw.random()
            if kind < 0.3:
                tokens += [draw.choice(NAMES), "Lindqvist"]
                labels += ["B-person", "I-person"]
            elif kind < 0.6:
                tokens += ["in", draw.choice(PLACES)]
                labels += ["O", "B-place"]
            else:
                tokens += draw.choices(["walked", "slowly", "home", "İzmirli", "."], k=2)
                labels += ["O", "O"]
        sentences.append(Sentence(tuple(tokens), tuple(labels), f"s{seed}-{number}"))
    return tuple(sentences)


@pytest.fixture(scope="session", autouse=True)
def quiet():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def sentences():
    return make_sentences(120)


@pytest.fixture(scope="session")
def tokenizer(sentences):
    return train_wordpiece((sentence.tokens for sentence in sentences), vocabulary=120)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, sentences, tokenizer):
    splits = {"train": sentences, "dev": make_sentences(30, 1), "test": make_sentences(30, 2)}
    folder = tmp_path_factory.mktemp("encoded")
    return write_corpus(
        folder, splits, label_names(TYPES), tokenizer, EncodingOptions(max_length=64, seed=42)
    )
