"""One encoded split of a corpus: its flat arrays, and how they are stored as memory-mapped Arrow files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from hpo.corpora.spans import BoolArray, IntArray
from hpo.corpora.variants import FORMS
from hpo.encoding.windows import UNSCORED


@dataclass(frozen=True)
class EncodedSplit:
    """One split as flat arrays, mapped from disk and never copied.

    The terms *form*, *encoding* and *window* are defined in `hpo.encoding.encoded_corpus`.

    *Shape:* ``ids`` and ``tokens`` (subtokens,), ``window_offsets`` (windows + 1,), ``window_encodings``
    (windows,), ``labels`` (tokens,), ``sentence_offsets`` (sentences + 1,), ``forms`` (3, sentences): the
    encoding of each sentence in each of `FORMS`, ``encoding_sentences`` (encodings,): the sentence of each
    encoding, ``drawn`` (sentences,): whether a mixed variant takes the lower-cased form.
    ``tokens`` numbers the tokens of the split; it is `UNSCORED` where a subtoken belongs to none.
    """

    ids: IntArray
    tokens: IntArray
    window_offsets: IntArray
    window_encodings: IntArray
    labels: IntArray
    sentence_offsets: IntArray
    forms: IntArray
    encoding_sentences: IntArray
    drawn: BoolArray

    def first_subtokens(self, subtokens: IntArray | slice = slice(None)) -> BoolArray:
        """Return which of the subtokens of some whole windows are the first of a token.

        *Shape:* that of ``tokens[subtokens]``. For ``tokens`` [-1, 0, 0, 1, -1] the result is
        [False, True, False, True, False].
        """
        tokens = self.tokens[subtokens]
        first = tokens != UNSCORED
        first[1:] &= tokens[1:] != tokens[:-1]
        return np.asarray(first)

    def variant_encodings(self, variant_forms: IntArray, variant_sentences: IntArray) -> IntArray:
        """Return the encodings of a case variant in its order; *shape:* (sentences of the variant,)."""
        return np.asarray(self.forms[variant_forms, variant_sentences])


def store(split: EncodedSplit, folder: Path, name: str) -> None:
    """Write a split as two Arrow files, ``name.rows.arrow`` (windows) and ``name.sentences.arrow``."""
    window_offsets = pa.array(split.window_offsets, pa.int64())
    windows: dict[str, pa.Array] = {
        "ids": pa.LargeListArray.from_arrays(window_offsets, pa.array(split.ids, pa.int32())),
        "tokens": pa.LargeListArray.from_arrays(window_offsets, pa.array(split.tokens, pa.int32())),
        "encoding": pa.array(split.window_encodings, pa.int32()),
    }
    sentences: dict[str, pa.Array] = {
        "labels": pa.LargeListArray.from_arrays(
            pa.array(split.sentence_offsets, pa.int64()), pa.array(split.labels, pa.int16())
        ),
        "drawn": pa.array(split.drawn.astype(np.int8)),
        **{form: pa.array(split.forms[index], pa.int32()) for index, form in enumerate(FORMS)},
    }
    for part, columns in (("rows", windows), ("sentences", sentences)):
        batch = pa.record_batch(columns)
        with (
            pa.OSFile(str(folder / f"{name}.{part}.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, batch.schema) as out,
        ):
            out.write_batch(batch)


def load(folder: Path, name: str) -> EncodedSplit:
    """Map a split that `store` wrote; its large arrays stay on disk until they are accessed."""
    windows = _batch(folder / f"{name}.rows.arrow")
    sentences = _batch(folder / f"{name}.sentences.arrow")
    forms = np.stack([_numbers(sentences.column(form)) for form in FORMS])
    window_encodings = _numbers(windows.column("encoding"))
    encoding_sentences = np.empty(int(window_encodings[-1]) + 1, np.int32)
    encoding_sentences[forms] = np.arange(forms.shape[1], dtype=np.int32)
    return EncodedSplit(
        ids=_numbers(windows.column("ids").values),
        tokens=_numbers(windows.column("tokens").values),
        window_offsets=_numbers(windows.column("ids").offsets),
        window_encodings=window_encodings,
        labels=_numbers(sentences.column("labels").values),
        sentence_offsets=_numbers(sentences.column("labels").offsets),
        forms=forms,
        encoding_sentences=encoding_sentences,
        drawn=_numbers(sentences.column("drawn")).astype(bool),
    )


def _batch(path: Path) -> pa.RecordBatch:
    return pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)


def _numbers(array: pa.Array) -> IntArray:
    numbers: IntArray = array.to_numpy(zero_copy_only=True)
    return numbers
