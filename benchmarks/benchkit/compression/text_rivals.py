"""TF-IDF with logistic regression on the encoder's phrases: what a row about it must beat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from benchkit import sst2_split
from benchkit.compression.scores import packed
from benchkit.sst2_encoder import sentences

_STRENGTHS = (1.0, 3.0, 10.0, 30.0)
_MOST_STEPS = 1000


def of_words() -> dict[str, Any]:
    """As scikit-learn has it."""
    return _figures([_model(1, 1.0)])


def of_words_and_pairs() -> dict[str, Any]:
    """How strongly it is held back is chosen on the phrases to choose on."""
    return _figures([_model(2, each) for each in _STRENGTHS])


def _model(longest: int, strength: float) -> Pipeline:
    regression = LogisticRegression(C=strength, max_iter=_MOST_STEPS)
    return make_pipeline(TfidfVectorizer(ngram_range=(1, longest)), regression)


def _figures(models: Sequence[Pipeline]) -> dict[str, Any]:
    begun = time.monotonic()
    trained, chosen_on = sst2_split.indices()
    texts, labels = _texts("train")
    best = max(
        (model.fit(texts[trained], labels[trained]) for model in models),
        key=lambda model: float(model.score(texts[chosen_on], labels[chosen_on])),
    )
    tested, answers = _texts("dev")
    right = best.predict(tested) == answers
    return {
        **dict.fromkeys(("bytes", "download_bytes", "macs", "sparsity")),
        "right": packed(right),
        "samples": len(right),
        "lineage": [str(best.get_params()["logisticregression"])],
        "minutes": (time.monotonic() - begun) / 60,
    }


def _texts(split: str) -> tuple[Any, Any]:
    found = sentences(split)
    texts = np.array([text for text, _ in found], dtype=object)
    return texts, torch.tensor([label for _, label in found]).numpy()
