"""What the user set and where: the YAML files and options of a command line as one tree that knows its lines."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass
class Setting:
    """A value (a scalar, or a dict or list of settings) and the place it came from, such as ``my.yaml:12``."""

    value: Any
    place: str

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    @property
    def class_path(self) -> str | None:
        """The class this setting names, if it names one."""
        named = self.value.get("class_path") if isinstance(self.value, dict) else None
        return named.value if named is not None and isinstance(named.value, str) else None


def read_file(path: Path, text: str | None = None) -> Setting:
    """The settings of a YAML file; a value that names a YAML file beside it is that file's settings.

    Raises:
        ValueError: the file is no YAML; the message names the line.
    """
    text = path.read_text(encoding="utf-8") if text is None else text
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        return Setting({}, str(path)) if node is None else _convert(node, loader, path)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ValueError(f"{place}: this is no YAML: {problem.problem or problem.context}") from problem
    except yaml.YAMLError as problem:
        raise ValueError(f"{path}: this is no YAML: {problem}") from problem
    finally:
        loader.dispose()


def read_command_line(arguments: list[str]) -> Setting:
    """The settings of all config files and options of a command line, later ones over earlier ones.

    Raises:
        ValueError: a config file is not there, or is no YAML.
    """
    root = Setting({}, "the command line")
    waiting = list(arguments)
    while waiting:
        option = waiting.pop(0)
        name, equals, value = option.partition("=")
        if not name.startswith("-"):
            if name.endswith((".yaml", ".yml")):
                raise ValueError(f"{name} is no option\ndid you mean --config {name}?")
            continue
        if not equals and waiting and (not waiting[0].startswith("--") or len(name) == 2):
            value = waiting.pop(0)
        if name in ("--config", "-c"):
            if "\n" in value:
                merge(root, read_file(Path("the run's config.yaml"), value))
            elif Path(value).is_file():
                config = read_file(Path(value))
                if not isinstance(config.value, dict):
                    raise ValueError(
                        f"{value} is no config: expected settings by name, such as\ntrainer: {{max_epochs: 3}}"
                    )
                merge(root, config)
            elif Path(value).is_dir():
                raise ValueError(f"{value} is a folder\nexpected a YAML file: --config FILE")
            else:
                raise ValueError(missing_file(value))
        elif not name.startswith(("--help", "--print_")):
            _set(root, name.lstrip("-"), _from_option(name, value) if value else Setting(True, name))
    return root


def missing_file(name: str) -> str:
    """Say that a file is not there, and which one near it is."""
    path = Path(name)
    folder = path.parent
    while not folder.is_dir():
        path, folder = folder, folder.parent
    near = difflib.get_close_matches(path.name, sorted(os.listdir(folder)), n=1)
    hint = f"did you mean {folder / near[0]}?" if near else f"looked in {folder.resolve()}"
    return f"no such file: {name}\n{hint}"


def merge(below: Setting, above: Setting) -> None:
    """Put the settings of ``above`` over those of ``below``, as the parser does: dicts merge, lists replace, ``name+`` adds."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        below.value, below.place = above.value, above.place
        return
    if above.class_path not in (None, below.class_path):
        below.value = {}  # another class takes other settings
    for key, child in above.value.items():
        if key.endswith("+"):
            _add(below, key.removesuffix("+"), child)
        else:
            merge(below.value.setdefault(key, Setting({}, child.place)), child)
    below.place = above.place if not below.place else below.place


def _add(to: Setting, key: str, given: Setting) -> None:
    """Put a setting, or each of a list, behind those of a list."""
    old = to.value.get(key)
    added = given.value if isinstance(given.value, list) else [given]
    to.value[key] = Setting([*(old.value if old and isinstance(old.value, list) else []), *added], given.place)


def _convert(node: yaml.Node, loader: yaml.SafeLoader, path: Path) -> Setting:
    place = f"{path}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        children: dict[str, Setting] = {}
        for key, value in node.value:
            child = _convert(value, loader, path)
            child.place = f"{path}:{key.start_mark.line + 1}"
            name = str(loader.construct_object(key))
            if name in children:
                raise ValueError(
                    f"{child.place}: {name!r} stands twice, first at {children[name].place}\nkeep one of them"
                )
            children[name] = child
        return Setting(children, place)
    if isinstance(node, yaml.SequenceNode):
        return Setting([_convert(child, loader, path) for child in node.value], place)
    value = loader.construct_object(node)
    if isinstance(value, str) and value.endswith((".yaml", ".yml")) and (path.parent / value).is_file():
        return read_file(path.parent / value)
    return Setting(value, place)


def _from_option(name: str, value: str) -> Setting:
    try:
        node = read_file(Path(name), value)
    except ValueError:
        return Setting(value, name)
    return _at(node, name)


def _at(setting: Setting, place: str) -> Setting:
    value = setting.value
    if isinstance(value, dict):
        value = {key: _at(child, place) for key, child in value.items()}
    elif isinstance(value, list):
        value = [_at(child, place) for child in value]
    return Setting(value, place)


def _set(root: Setting, name: str, given: Setting) -> None:
    keys = name.removesuffix("+").split(".")
    here = root
    for depth, key in enumerate(keys):
        if isinstance(here.value, str):  # `--model a.Class` names the class, then come its settings
            here.value = {"class_path": Setting(here.value, here.place)}
        if isinstance(here.value, list) and here.value:
            here = here.value[-1]
        if not isinstance(here.value, dict):
            here.value = {}
        if here.class_path and key not in ("class_path", "init_args", "dict_kwargs"):
            here = here.value.setdefault("init_args", Setting({}, given.place))
        if depth < len(keys) - 1:
            here = here.value.setdefault(key, Setting({}, given.place))
        elif name.endswith("+"):
            _add(here, key, given)
        elif key in here.value:
            merge(here.value[key], given)
        else:
            here.value[key] = given
