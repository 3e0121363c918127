"""The vocabularies of the four kinds of tokenizer, trained by the ``tokenizers`` library so that the same texts give the same one."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

COVERAGE = 0.9995  # of all characters; sentencepiece's own, so that a stray emoji takes no place in a vocabulary
_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]")
_SOME = 1_000_000  # different stretches between spaces that are held at once


def byte_pairs(
    blocks: Iterator[list[str]], words: pre_tokenizers.PreTokenizer, vocab_size: int, specials: list[str]
) -> models.BPE:
    """Bytes and the pairs that come most often; ties go to the smaller ids, which makes it repeatable."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = words
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=2, show_progress=False, special_tokens=specials, initial_alphabet=bytes_
    )
    tokenizer.train_from_iterator(blocks, trainer)
    model: models.BPE = tokenizer.model
    return model


def bert_rules(lowercase: bool) -> tuple[normalizers.Normalizer, pre_tokenizers.PreTokenizer]:
    """How BERT finds words: control characters go, Chinese characters and punctuation stand alone; accents stay."""
    rules = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=lowercase
    )
    return rules, pre_tokenizers.BertPreTokenizer()


def word_pieces(
    texts: Iterable[str],
    normalizer: normalizers.Normalizer,
    words: pre_tokenizers.PreTokenizer,
    vocab_size: int,
    specials: list[str],
    is_by_character: bool,
) -> dict[str, int]:
    """Characters, then the parts of words that come most often.

    The library's trainer numbers the characters in the order of a hash table, which differs from run to run and decides
    ties. Here they are numbered first, in the order of their code points.
    """
    counts = _count_words(texts, normalizer, words)
    letters, later = _characters(counts, vocab_size - len(specials), is_by_character)
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        show_progress=False,
        special_tokens=[*specials, *letters, *later],
        initial_alphabet=letters,
        limit_alphabet=len(letters),
    )
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    known = set(letters)
    usable = {word: count for word, count in counts.items() if known.issuperset(word)}
    tokenizer.train_from_iterator(_repeated(usable), trainer)
    vocabulary: dict[str, int] = json.loads(tokenizer.to_str())["model"]["vocab"]
    return dict(sorted(vocabulary.items(), key=lambda entry: entry[1]))


def _count_words(
    texts: Iterable[str], normalizer: normalizers.Normalizer, words: pre_tokenizers.PreTokenizer
) -> Counter[str]:
    """How often each word comes; each stretch between spaces is looked at once."""
    found: Counter[str] = Counter()
    stretches: Counter[str] = Counter()

    def settle() -> None:
        for stretch, count in stretches.items():
            for word, _ in words.pre_tokenize_str(normalizer.normalize_str(stretch)):
                found[word] += count
        stretches.clear()

    for text in texts:
        stretches.update(text.split(" "))
        if len(stretches) > _SOME:
            settle()
    settle()
    return found


def _characters(counts: Counter[str], room: int, is_by_character: bool) -> tuple[list[str], list[str]]:
    """The characters, none that is too rare, and with ``##`` those that go on with a word, in order."""
    first: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    for word, count in counts.items():
        first[word[0]] += count
        for letter in word[1:]:
            rest[letter] += count
    whole = first + rest
    ranked = sorted(whole, key=lambda letter: (-whole[letter], letter))
    if is_by_character:  # Chinese characters before all others
        ranked = [letter for letter in ranked if _CHINESE.match(letter) is None or whole[letter] > 1]
    kept: set[str] = set()
    num_pieces = covered = 0
    enough = sum(whole.values()) * COVERAGE
    for letter in ranked:
        is_wanted = is_by_character and _CHINESE.match(letter) is not None
        if covered >= enough and not is_wanted:
            continue
        num_pieces += 1 + (letter in rest)
        if num_pieces > room:
            raise ValueError(
                f"{len(ranked):,} different characters do not go into {room:,} tokens\n"
                "set a larger vocab_size, or use kind 'bpe', which has all characters as bytes"
            )
        covered += whole[letter]
        kept.add(letter)
    return sorted(kept), [f"##{one}" for one in sorted(kept) if one in rest]


def _repeated(counts: dict[str, int]) -> Iterator[list[str]]:
    """Each word as often as it comes: the library takes no counts."""
    block: list[str] = []
    for word, count in counts.items():
        while count:
            now = min(count, 1000)
            block.append(" ".join([word] * now))
            count -= now
        if len(block) > 1000:
            yield block
            block = []
    yield block


def likely_pieces(
    blocks: Iterator[list[str]], words: pre_tokenizers.PreTokenizer, vocab_size: int, specials: list[str]
) -> models.Unigram:
    """Pieces and their log-probabilities in nats, the likeliest first, after the special tokens.

    The library adds in the order of a hash table, so scores differ in their last digits from run to run, and characters
    too rare to have a score get one by chance. Here scores are rounded, and such characters all get the least.
    """
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = words
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size, show_progress=False, special_tokens=specials, unk_token="[UNK]"
    )
    try:
        tokenizer.train_from_iterator(blocks, trainer)
    except Exception as problem:  # the library has no kind of its own for it
        if "not large enough" not in str(problem):
            raise
        raise ValueError(
            f"the texts have more different characters than {vocab_size:,} tokens\n"
            "set a larger vocab_size, or use kind 'bpe', which has all characters as bytes"
        ) from problem
    found: list[tuple[str, float]] = [
        (piece, score) for piece, score in json.loads(tokenizer.to_str())["model"]["vocab"] if piece not in specials
    ]
    least = min((score for _, score in found), default=0.0)
    settled = [(piece, round(_leveled(piece, score, least), 5)) for piece, score in found]
    settled.sort(key=lambda entry: (-entry[1], entry[0]))
    vocabulary: list[Any] = [(token, 0.0) for token in specials] + settled
    return models.Unigram(vocabulary, unk_id=specials.index("[UNK]"), byte_fallback=False)


def _leveled(piece: str, score: float, least: float) -> float:
    steps = (score - least) / 1e-4  # the library's step between the characters it gives a score by chance
    return least if len(piece) == 1 and abs(steps - round(steps)) < 1e-5 else score
