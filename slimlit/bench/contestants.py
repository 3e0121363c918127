"""``contestants_of``: what there is to measure of a run: its teacher, its student, its exports."""

import json
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from slimlit.export.folder import UNFINISHED
from slimlit.models.sources import find
from slimlit.runs import REPLACED, Run

FACTS = "slimlit.json"  # what an exported folder says of itself
_RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino", "executorch": "executorch", "gguf": "gguf"}
_WEIGHTS = (".safetensors", ".bin")
_CUT_OFF = (UNFINISHED, REPLACED)  # what a killed export leaves: half of a new folder, or an old one put aside


@dataclass(frozen=True)
class Contestant:
    """One model as a process opens it.

    Args:
        name: in tables.
        opens: ``torch`` loads a source as PyTorch does, ``export`` an exported folder in its own runtime.
        source: run, folder or hub name.
        precision: of PyTorch's weights; of an export what it says.
        kind: of the task's head.
        labels: the classes.
        num_bytes: of its files, weights, tokenizer and settings; None where they are not in one folder.
        plan: folder of the plan by which it reads the tokens of a student of fewer words; None where it reads its own.
    """

    name: str
    opens: Literal["torch", "export"]
    source: str
    precision: str
    kind: str
    labels: list[str]
    num_bytes: int | None
    plan: str | None = None

    def text(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self))


def contestants_of(
    run: Run, config: dict[str, Any], kind: str, labels: list[str]
) -> tuple[list[Contestant], list[str]]:
    """What there is to measure, and a line for each that cannot be.

    Args:
        run: finished.
        config: as the run was trained.
        kind: of the task's head.
        labels: the classes.
    """
    found, told = [], []
    teacher, plan = _teacher_of(run, config["model"]["init_args"])
    if teacher is None:
        told.append("teacher: the run has none that reads its tokens; bench the run it is of")
    elif teacher.startswith(("/", ".", "~", "runs/")) and not Path(teacher).expanduser().exists():
        told.append(f"teacher: {teacher} is not there")
    else:
        size = _bytes_of(Path(find(teacher)))
        found.append(Contestant("teacher", "torch", teacher, "fp32", kind, labels, size, plan))
    whole = _bytes_of(run.student)
    weights = sum(file.stat().st_size for file in run.student.iterdir() if file.suffix in _WEIGHTS)
    half = None if whole is None else whole - weights // 2
    rounded = json.loads((run.student / "config.json").read_text(encoding="utf-8")).get("quantization_config")
    held = f"int{rounded.get('bits', 8)}" if rounded else "fp32"
    found.append(Contestant("student", "torch", str(run.folder), held, kind, labels, whole))
    if rounded:
        told.append("student bf16: its weights are rounded already")
    else:
        found.append(Contestant("student bf16", "torch", str(run.folder), "bf16", kind, labels, half))
    for facts in sorted([*run.folder.glob(f"exports/*/{FACTS}"), *run.folder.glob(f"export/*/{FACTS}")]):
        if facts.parent.name.endswith(_CUT_OFF):
            told.append(
                f"{facts.parent.name}: left by an export that was killed; export again to that place, or remove it"
            )
            continue
        try:
            said = json.loads(facts.read_text(encoding="utf-8"))
            target, precision = str(said["target"]), str(said.get("precision", "fp32"))
        except (ValueError, KeyError, TypeError) as problem:
            told.append(f"{facts.parent.name}: {facts} is damaged: {problem}")
            continue
        package = _RUNTIMES.get(target)
        if package is not None and find_spec(package) is None:
            told.append(f'{facts.parent.name}: needs {package}; type: pip install "slimlit[{target}]"')
            continue
        place = (str(facts.parent), precision, kind, labels, _bytes_of(facts.parent))
        found.append(Contestant(facts.parent.name, "export", *place))
    return found, told


def _teacher_of(run: Run, settings: dict[str, Any]) -> tuple[str | None, str | None]:
    """The teacher's source, and the plan by which it reads fewer words; of a run that ``compress`` made without training the run it is of."""
    said = settings.get("teacher") or {}
    if not said and (run.reports / "compress.json").is_file():
        said = settings.get("student") or {}
    own = said.get("init_args", {})
    if not str(said.get("class_path", "")).endswith((".Pretrained", ".FewerWords", ".Pruned")):
        return None, None
    plan = own.get("plan")
    if str(said["class_path"]).endswith(".Pruned") and not (Path(plan) / "tokenizer_config.json").is_file():
        plan = None  # it keeps all words
    return own.get("source"), plan


def _bytes_of(folder: Path) -> int | None:
    """All files but words and code about the model; None where there is no such folder."""
    if not folder.is_dir():
        return None
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".md", ".py")]
    return sum(path.stat().st_size for path in files if path.name != "privacy.json")
