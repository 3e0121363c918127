"""Who may import whom: each part of slimlit imports only from its own floor and below, and libraries only where they belong."""

import ast
from collections.abc import Iterator
from pathlib import Path

import slimlit

ROOT = Path(slimlit.__file__).parent
FLOORS = {
    "types": 0,
    "text": 1, "vocabulary": 1,
    "data": 2, "models": 2, "losses": 2, "explain": 2, "compress": 2, "export": 2,
    "tasks": 3, "callbacks": 3,
    "cli": 4, "verbs": 4, "chat": 4, "auditor": 4, "explainer": 4, "predictor": 4, "bencher": 4, "bench": 2, "bench.opening": 2, "exporter": 4, "compressor": 4, "__main__": 4, "command_line": 4, "errors": 4, "faults": 4, "settings": 4, "quiet": 4,
    "report": 1, "explain.drawing": 1, "explain.bars": 1, "explain.heat_map": 1, "explain.curves": 1, "explain.calibration": 1, "explain.confusion": 1,
    "runs": 1, "disk": 1, "privacy": 1, "privacy.recording": 2, "privacy.contributions": 2, "privacy.engine": 2, "privacy.gram": 2, "privacy.noise": 2, "privacy.probe": 2, "privacy.rows": 2, "privacy.trees": 2, "privacy.word_products": 2,
}  # fmt: skip
ENGINE = {
    f"privacy.{name}"
    for name in ("recording", "rows", "trees", "contributions", "gram", "engine", "noise", "probe", "word_products")
}  # the rest: no torch
LIBRARIES = {
    "torch": {
        "types",
        "vocabulary",
        "data",
        "models",
        "losses",
        "explain",
        "compress",
        "tasks",
        "callbacks",
        "cli",
        "auditor",
        "explainer",
        "compressor",
        "export",
        "bench.opening",
        *ENGINE,
    },
    "lightning": {"data", "tasks", "callbacks", "cli", "verbs", "predictor", "errors", "faults", "explainer"},
    "transformers": {
        "models",
        "text",
        "compress",
        "export",
        "bench.opening",
    },  # in text within functions only: tests/text/test_imports.py
    "tiktoken": {"text"},
    "wandb": {"callbacks", "cli"},
    "torchmetrics": {"tasks"},
    "opacus": {"privacy"},
    "gguf": {"models", "export"},
    **{name: {"export"} for name in ("onnx", "onnx_ir", "onnxruntime", "openvino", "nncf", "executorch", "torchao")},
    "huggingface_hub": {"text"},
    "sacrebleu": {"text"},
    "rouge_score": {"text"},
    "captum": {"explain"},
}


def _part(module: str) -> str:
    """The longest part of a module's name that has a floor, without ``slimlit.``."""
    names = module.split(".")
    found = [".".join(names[:end]) for end in range(len(names), 0, -1) if ".".join(names[:end]) in FLOORS]
    return found[0] if found else names[0]


def imports() -> Iterator[tuple[Path, str, str]]:
    """Each file, the part of slimlit it belongs to, and a module it imports."""
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        part = _part(".".join(relative.with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((relative, part, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = (
                    [f"{node.module}.{alias.name}" for alias in node.names]
                    if node.module == "slimlit"
                    else [node.module]
                )
                yield from ((relative, part, name) for name in names)


def test_every_part_has_a_floor() -> None:
    parts = {path.name.removesuffix(".py") for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert parts - {"__init__", "__pycache__"} == {name for name in FLOORS if "." not in name}


def test_nothing_imports_from_a_floor_above() -> None:
    for path, part, module in imports():
        if module.startswith("slimlit.") and part != "__init__":
            other = _part(module.removeprefix("slimlit."))
            allowed = FLOORS[other] <= FLOORS[part] or (part == "callbacks" and other == "tasks")
            assert allowed, f"{path} (floor {FLOORS[part]}) imports {module} (floor {FLOORS[other]})"


def test_libraries_stay_where_they_belong() -> None:
    for path, part, module in imports():
        library = module.split(".")[0]
        if library in LIBRARIES:
            assert part in LIBRARIES[library] or part.split(".")[0] in LIBRARIES[library], f"{path} imports {module}"


def test_nothing_imports_the_experiments() -> None:
    assert not [path for path, _, module in imports() if module.split(".")[0] == "experiments"]
