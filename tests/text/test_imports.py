"""The floor of the text room: no torch."""

import subprocess
import sys
from pathlib import Path

import slimlit.text


def test_text_imports_neither_torch_nor_transformers() -> None:
    room = Path(slimlit.text.__file__).parent
    files = [file for file in room.rglob("*.py") if file.name != "__init__.py"]
    names = {".".join(file.relative_to(room).with_suffix("").parts) for file in files}
    code = f"import sys\nfor name in {sorted(names)}: __import__('slimlit.text.' + name)\n"
    code += "lazy = {'stopwordsiso', 'rjieba', 'huggingface_hub', 'sacrebleu', 'rouge_score', 'nltk', 'tiktoken', 'py3langid'}\n"
    code += "sys.exit(bool(({'torch', 'transformers', 'lightning'} | lazy) & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
