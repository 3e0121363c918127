"""Writes on after a prompt with the model in this folder: numpy, tokenizers and ExecuTorch, which brings torch along.

pip install numpy tokenizers executorch
python use.py "a prompt"
"""

import json
import sys
from pathlib import Path

import torch
from executorch.runtime import Runtime
from tokenizers import Tokenizer

FOLDER = Path(__file__).parent
FACTS = json.loads((FOLDER / "slimlit.json").read_text(encoding="utf-8"))
BEGIN = [] if FACTS["bos_token_id"] is None else [FACTS["bos_token_id"]]  # what an empty text is read as
tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.no_truncation()
method = Runtime.get().load_program(FOLDER / "model.pte").load_method("forward")
ROOM = FACTS["room"]  # tokens of prompt and answer together


def write(prompt: list[int], max_new_tokens: int = 40) -> list[int]:
    """The likeliest words after a prompt: read at once, then word by word; what was read stays in the model."""
    words, new = list(prompt), list(prompt)
    while len(words) < min(len(prompt) + max_new_tokens, ROOM):
        places = torch.arange(len(words) - len(new), len(words))
        logits = method.execute([torch.tensor([new]), places])[0]
        word = int(logits[0, -1].argmax())
        if word in FACTS["stops"]:
            break
        words.append(word)
        new = [word]
    return words[len(prompt) :]


def read(text: str, max_new_tokens: int = 40) -> tuple[str, list[int]]:
    """A prompt as it is read: where it is long, its end alone, so that there is room for the answer."""
    ids = tokenizer.encode(text).ids or BEGIN
    most = ROOM - min(max_new_tokens, ROOM // 2)
    if len(ids) <= most:
        return text, ids
    print(
        f"cut: the first {len(ids) - most} of {len(ids)} tokens; there is room for {ROOM} with the answer",
        file=sys.stderr,
    )
    return tokenizer.decode(ids[-most:]), ids[-most:]


if __name__ == "__main__":
    for text in sys.argv[1:] or ["once upon a time"]:
        prompt, ids = read(text)
        if ids:
            print(prompt + tokenizer.decode(write(ids)))
        else:
            print("an empty text, and no token to begin with: give some words", file=sys.stderr)
