"""Train the vocabulary both languages share: ``python -m experiments.translation.vocabulary train.tsv.gz FOLDER``."""

import sys
from itertools import chain

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from slimlit.data.pair_texts import PairColumns, read_pairs


def train_vocabulary(train: str, folder: str, vocab_size: int = 4000) -> None:
    """Byte pairs of English and German together, texts closed by ``</s>``, as a folder ``AutoTokenizer`` loads."""
    pairs = read_pairs(train, PairColumns("en", "de"), "train")
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFC()  # type: ignore[assignment]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[assignment]
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=["<pad>", "</s>", "<unk>"])
    tokenizer.train_from_iterator(chain(pairs.texts, pairs.targets), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])  # type: ignore[assignment]
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    ).save_pretrained(folder)


if __name__ == "__main__":
    train_vocabulary(*sys.argv[1:3])
