"""What a machine without an accelerator cannot show by running, and can by reading."""

import ast
from pathlib import Path

import slimlit


def test_numbers_drawn_from_a_generator_are_drawn_where_it_is() -> None:
    """Under a trainer on a GPU the default device is the GPU, and torch refuses a CPU generator there (seen on an H200)."""
    for path in sorted(Path(slimlit.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                draws = node.func.attr.startswith("rand") and ast.unparse(node.func.value) == "torch"
                given = {word.arg for word in node.keywords}
                assert not draws or "generator" not in given or "device" in given, f"{path}:{node.lineno}"
