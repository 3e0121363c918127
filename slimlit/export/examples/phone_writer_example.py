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
tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.no_truncation()
method = Runtime.get().load_program(FOLDER / "model.pte").load_method("forward")
ROOM = method.metadata.input_tensor_meta(0).sizes()[1]  # tokens of prompt and answer together


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


if __name__ == "__main__":
    for text in sys.argv[1:] or ["once upon a time"]:
        ids = tokenizer.encode(text).ids[-(ROOM - 1) :]
        print(text + tokenizer.decode(write(ids)))
