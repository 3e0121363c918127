"""``NearDuplicates``: which documents count as the same."""

from dataclasses import dataclass

NUM_BINS = 128  # of a MinHash sketch: rows of all bands together


@dataclass(frozen=True)
class NearDuplicates:
    """Which documents count as the same.

    Args:
        threshold: Jaccard similarity of their sets of n-grams, from which on two documents are the same.
        num_characters: characters of an n-gram.
        num_bands: more find more, and cost time and 8 bytes a document each.
        num_rows: of a band; more let fewer pairs be compared in vain, and miss more.

    Source: Soboleva et al. 2023, SlimPajama, step 3: Jaccard 0.8, 13 characters. They keep what MinHash alone calls
    alike; here the n-grams themselves decide.
    """

    threshold: float = 0.8
    num_characters: int = 13
    num_bands: int = 21
    num_rows: int = 6

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError(f"near_duplicates.threshold is {self.threshold:g}\nexpected above 0, at most 1")
        if self.num_characters < 1 or self.num_bands < 1 or self.num_rows < 1:
            raise ValueError("near_duplicates: num_characters, num_bands and num_rows are 1 or more")
        if self.num_bands * self.num_rows > NUM_BINS:
            raise ValueError(
                f"near_duplicates: {self.num_bands} bands of {self.num_rows} rows; expected at most {NUM_BINS} rows in all"
            )
