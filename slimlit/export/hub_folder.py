"""``write_hub``: the student as a Hugging Face folder that loads without us: weights, tokenizer, chat template, and code where none is stock."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from transformers import AutoModelForSequenceClassification, PreTrainedModel

from slimlit.export import examples
from slimlit.models import SequenceClassifier
from slimlit.models.architectures import STOCK
from slimlit.models.network import Kind
from slimlit.models.pretrained import load_whole

CODE = "modeling_slimlit.py"


def write_hub(network: PreTrainedModel, student: Path, folder: Path) -> None:
    """Copy a finished student, or save it where its weights were rounded and now are plain; beside a text classifier of ours, its code in one plain file that ``trust_remote_code`` reads."""
    shutil.copytree(student, folder, dirs_exist_ok=True)
    if "quantization_config" in json.loads((folder / "config.json").read_text(encoding="utf-8")):
        network.save_pretrained(folder)
    if not isinstance(network, SequenceClassifier):
        return
    shutil.copyfile(Path(examples.__file__).with_name(CODE), folder / CODE)
    path = folder / "config.json"
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    module = CODE.removesuffix(".py")
    config["auto_map"] = {
        "AutoConfig": f"{module}.SequenceClassifierConfig",
        "AutoModelForSequenceClassification": f"{module}.SequenceClassifier",
    }
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_folder(folder: Path, kind: Kind) -> PreTrainedModel:
    """The network in such a folder, through transformers' own classes or through the code in it; not through ours.

    Raises:
        ValueError: weights are damaged or lacking.
    """
    if (folder / CODE).is_file():
        return load_whole(_code_of(folder).SequenceClassifier, str(folder)).eval()
    model_class = AutoModelForSequenceClassification if kind == "sequence_classification" else STOCK[kind]
    return load_whole(model_class, str(folder)).eval()


def _code_of(folder: Path) -> Any:
    name = "slimlit_exported_code"
    spec = importlib.util.spec_from_file_location(name, folder / CODE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module
