"""The truth that near-duplicate removal is scored by is what comparing all pairs gives."""

import json
import random
from itertools import combinations
from pathlib import Path

from experiments.prepare.corpus import edit
from experiments.prepare.truth import components, features, score, similar_pairs


def test_the_prefix_filter_finds_the_pairs_that_comparing_all_finds(tmp_path: Path) -> None:
    rng = random.Random(1)
    words = ["".join(rng.choices("aeiourstln", k=6)) for _ in range(200)]
    texts = [" ".join(rng.choices(words, k=60)) for _ in range(30)]
    texts += [edit(text, rng, words) for text in texts * 3]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    sets = [features(text) for text in texts]
    similar = {
        (one, other): len(sets[one] & sets[other]) / len(sets[one] | sets[other])
        for one, other in combinations(range(len(sets)), 2)
    }
    assert similar_pairs(path, 0.8) == {pair: value for pair, value in similar.items() if value >= 0.8}
    assert len(similar_pairs(path, 0.8)) > 30


def test_scores_count_a_missed_and_a_wrong_document() -> None:
    pairs = {(0, 1): 1.0, (1, 2): 0.9}
    assert components(list(pairs), 5) == [0, 0, 0, 3, 4]
    right = score({0, 3, 4}, pairs, 5)
    assert (right["recall"], right["precision"], right["pair recall"]) == (1.0, 1.0, 1.0)
    mixed = score({0, 1, 4}, pairs, 5)  # 2 went rightly, 3 wrongly, and 1 should have gone
    assert (mixed["recall"], mixed["precision"], mixed["pair recall"]) == (0.5, 0.5, 0.5)
