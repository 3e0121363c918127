"""``train_tokenizer``: a Hugging Face tokenizer made of one's own texts, and what that tells of them."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from slimlit.privacy.ledger import MAKERS, NAME, Fingerprint, Ledger, Stage, machine_key, place_of
from slimlit.privacy.origins import origins_of, owed_by
from slimlit.text.cache import cache_folder
from slimlit.text.tokens import vocabularies

Kind = Literal["bpe", "wordpiece", "unigram", "characters"]
END = "<|endoftext|>"
_DECODER_SPECIALS = {"eos_token": END, "bos_token": END, "unk_token": END, "pad_token": "<|pad|>"}
_ENCODER_SPECIALS = {
    "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
}  # fmt: skip


def train_tokenizer(
    texts: Iterable[str],
    kind: Kind | str,
    vocab_size: int,
    folder: str | Path,
    *,
    source: str = "texts",
    split: str = "train",
    model_max_length: int = 512,
    lowercase: bool = False,
    special_tokens: Sequence[str] = (),
    made_of: Sequence[str] = (),
) -> dict[str, Any]:
    """Make a vocabulary of texts and write it as a folder that ``AutoTokenizer`` loads.

    - ``bpe``: bytes and pairs of them, as GPT-2 and SmolLM2 have it: digits one by one, no text is unknown, ids turn back
      into the very text; ``<|endoftext|>`` and ``<|pad|>``. For models that write.
    - ``wordpiece``: words and parts of words, as BERT has it; the rarest 0.05 % of characters are unknown.
    - ``unigram``: likely pieces of words, as ALBERT has it.
    - ``characters``: for Chinese, as BERT has it there: each Chinese character that comes at least twice is a token, other
      scripts are words and parts of words.

    The last three are for encoders: ``[CLS] … [SEP]``, ``[MASK]``, ``[PAD]``, ``[UNK]``.

    Guarantees:
        - the folder is there whole or not at all;
        - the same texts give the same files, byte for byte, with the same versions of the libraries (``unigram``: but for
          ties closer than rounding);
        - the vocabulary has exactly ``vocab_size`` tokens;
        - ``privacy.json`` in the folder says that these texts made a vocabulary without noise, and what they owe themselves
          where they were made of others: what ``predict`` or ``prepare`` wrote beside them.

    Args:
        texts: read once, one at a time, and not kept; best cleaned before (``slimlit.text.clean``).
        kind: how a text is cut.
        vocab_size: tokens, special ones included.
        folder: where to write; it must not exist.
        source: the file or name the texts came from, for the privacy ledger.
        split: which part of it.
        model_max_length: tokens that models with this tokenizer will read at most.
        lowercase: letters lose their case (``wordpiece`` and ``characters``).
        special_tokens: more tokens that no text is cut into, such as ``<|im_start|>``.
        made_of: files or folders the source was made of, for the privacy ledger.

    Returns:
        a report: what was read and what became of it.

    Raises:
        ValueError: an unknown kind, an existing folder, or texts too few or too varied for the vocabulary.
    """
    folder = Path(folder)
    if kind not in get_args(Kind):
        raise ValueError(f"no kind of tokenizer {kind!r}\nexpected one of: {', '.join(get_args(Kind))}")
    if folder.exists():
        raise ValueError(f"{folder} exists\nremove it, or name another folder for the tokenizer")
    if lowercase and kind in ("bpe", "unigram"):
        raise ValueError(f"lowercase has no effect on kind {kind!r}\nlower the texts before, or use 'wordpiece'")
    named = _DECODER_SPECIALS if kind == "bpe" else _ENCODER_SPECIALS
    specials = list(dict.fromkeys([*named.values(), *special_tokens]))
    reader = _Reader(texts)
    tokenizer = _bpe(reader, vocab_size, specials) if kind == "bpe" else None
    if kind == "unigram":
        tokenizer = _unigram(reader, vocab_size, specials)
    elif tokenizer is None:
        tokenizer = _wordpiece(reader, vocab_size, specials, lowercase, kind == "characters")
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    if tokenizer.get_vocab_size() != vocab_size:
        raise ValueError(
            f"{reader.num_texts:,} texts make a vocabulary of {tokenizer.get_vocab_size():,} tokens, not {vocab_size:,}\n"
            f"give more texts, or set vocab_size to {tokenizer.get_vocab_size()}"
        )
    report = {
        "kind": kind, "tokens": vocab_size, "texts": reader.num_texts, "characters": reader.num_characters,
        "source": source, "split": split, "tokenizers": version("tokenizers"),
    }  # fmt: skip
    stage = Stage(
        folder.name, "vocabulary", source, split, str(reader.fingerprint), reader.num_texts,
        why="a tokenizer's vocabulary was made of these texts, without noise",
        place=place_of(source, machine_key(cache_folder())),
    )  # fmt: skip
    owed = _owed(stage, made_of)
    if owed.stages:
        stage = replace(stage, mechanism={MAKERS: sorted({stage.run, *(one.run for one in owed.stages)})})
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model_max_length,
        "clean_up_tokenization_spaces": False,
        **named,
        **({"extra_special_tokens": list(special_tokens)} if special_tokens else {}),
        "model_input_names": ["input_ids", *(["token_type_ids"] if kind != "bpe" else []), "attention_mask"],
    }
    files = {
        "tokenizer.json": tokenizer.to_str(pretty=True) + "\n",
        "tokenizer_config.json": json.dumps(config, indent=2, ensure_ascii=False) + "\n",
        "training.json": json.dumps(report, indent=2, ensure_ascii=False) + "\n",
        NAME: (owed + Ledger([stage])).text(),
    }
    _write(folder, files)
    return report


def _owed(stage: Stage, made_of: Sequence[str]) -> Ledger:
    """What the texts of a vocabulary owe: that they stand for those they were made of, and what those owe."""
    origins = [origin for place in (stage.source, *made_of) for origin in origins_of(Path(place).expanduser())]
    whole = owed_by(stage, list(dict.fromkeys(origins)))
    for source in made_of:
        why, place = (
            f"the texts of {stage.source} are texts of that source",
            place_of(source, machine_key(cache_folder())),
        )
        whole += Ledger([replace(stage, kind="reading", source=source, steps=[], why=why, place=place)])
    return whole


class _Reader:
    """The texts, once, counted and fingerprinted on the way."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = texts
        self.num_texts = self.num_characters = 0
        self.fingerprint = Fingerprint(machine_key(cache_folder()))

    def __iter__(self) -> Iterator[str]:
        for text in self.texts:
            self.num_texts += 1
            self.num_characters += len(text)
            self.fingerprint.add(text)
            yield text

    def blocks(self, size: int = 1000) -> Iterator[list[str]]:
        texts = iter(self)
        while block := list(islice(texts, size)):
            yield block


def _bpe(reader: _Reader, vocab_size: int, specials: list[str]) -> Tokenizer:
    least = 256 + len(specials)
    if vocab_size < least:
        raise ValueError(
            f"vocab_size is {vocab_size}; expected at least {least}: 256 bytes and {len(specials)} special tokens"
        )
    tokenizer = Tokenizer(models.BPE())
    digits, pieces = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pieces])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)  # a token stands where its word does
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.model = vocabularies.byte_pairs(reader.blocks(), tokenizer.pre_tokenizer, vocab_size, specials)
    return tokenizer


def _wordpiece(
    reader: _Reader, vocab_size: int, specials: list[str], lowercase: bool, is_by_character: bool
) -> Tokenizer:
    normalizer, words = vocabularies.bert_rules(lowercase)
    vocabulary = vocabularies.word_pieces(reader, normalizer, words, vocab_size, specials, is_by_character)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, words
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return _with_borders(tokenizer)


def _unigram(reader: _Reader, vocab_size: int, specials: list[str]) -> Tokenizer:
    words = pre_tokenizers.Metaspace()
    tokenizer = Tokenizer(vocabularies.likely_pieces(reader.blocks(), words, vocab_size, specials))
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.Metaspace()
    return _with_borders(tokenizer)


def _with_borders(tokenizer: Tokenizer) -> Tokenizer:
    borders = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=borders
    )
    return tokenizer


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, text in files.items():
            (unfinished / name).write_text(text, encoding="utf-8")
        unfinished.chmod(0o755)
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
