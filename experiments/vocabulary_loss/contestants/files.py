"""Single files of other libraries, loaded without the packages around them, which ask for more than is needed here."""

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType


def load(package: str, file: str) -> ModuleType:
    """One module of an installed package, by its file; its parents are left empty."""
    spec = PathFinder.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is not installed: pip install --no-deps {package}")
    path = Path(spec.submodule_search_locations[0]) / file
    names = [package, *Path(file).with_suffix("").parts]
    for end in range(1, len(names)):
        name = ".".join(names[:end])
        if name not in sys.modules:
            sys.modules[name] = ModuleType(name)
            sys.modules[name].__path__ = []
    found = importlib.util.spec_from_file_location(".".join(names), path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module
