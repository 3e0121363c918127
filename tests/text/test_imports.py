"""The floor of the text room: no torch."""

import subprocess
import sys
from pathlib import Path

import slimlit.text


def test_text_imports_neither_torch_nor_transformers() -> None:
    names = {file.stem for file in Path(slimlit.text.__file__).parent.glob("*.py")} - {"__init__"}
    code = f"import sys\nfor name in {sorted(names)}: __import__('slimlit.text.' + name)\n"
    code += "lazy = {'stopwordsiso', 'rjieba', 'tiktoken', 'huggingface_hub', 'sacrebleu', 'rouge_score', 'nltk'}\n"
    code += "sys.exit(bool(({'torch', 'transformers', 'lightning'} | lazy) & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
