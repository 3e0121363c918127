"""Writes on after a prompt with the model in this folder: llama.cpp, through its Python package; nothing else.

pip install llama-cpp-python
python use.py "a prompt"
"""

import sys
from pathlib import Path

from llama_cpp import Llama

FOLDER = Path(__file__).parent

if __name__ == "__main__":
    model = Llama(model_path=str(FOLDER / "model.gguf"), n_ctx=512, verbose=False)
    for text in sys.argv[1:] or ["once upon a time"]:
        print(text + model(text, max_tokens=40, temperature=0.0)["choices"][0]["text"])
