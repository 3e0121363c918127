"""Finds what is wrong with a config that the parser refused: an unknown key or class, a wrong type, a missing setting."""

import difflib
import importlib
import inspect
import pkgutil
import types
from argparse import ArgumentError
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import ArgumentParser
from jsonargparse._parameter_resolvers import ParamData, get_signature_parameters
from lightning.pytorch import LightningDataModule, Trainer

from slimlit.callbacks.run_directory import RunDirectory
from slimlit.settings import Setting
from slimlit.tasks.base import Task

CLASS_KEYS = ("class_path", "init_args", "dict_kwargs")


class ConfigError(Exception):
    """What is wrong, in a few lines that begin with the place."""


def find_fault(settings: Setting, verb: str = "fit") -> str | None:
    """The first fault of the settings of a verb, in the order they are written; None where there is none to be seen."""
    from slimlit.cli import OPTIONS
    from slimlit.verbs import VerbsTrainer

    groups = {"trainer": _parameters(Trainer), "checkpoint": _parameters(RunDirectory)}
    ours = {
        "audit": VerbsTrainer.audit,
        "compress": VerbsTrainer.compress,
        "export": VerbsTrainer.export,
        "bench": VerbsTrainer.bench,
    }
    of_verb = _parameters(ours[verb]) if verb in ours else {}
    options = {**OPTIONS, **{name: one.annotation for name, one in of_verb.items() if name != "self"}}
    if verb == "explain":
        from slimlit.explainer.verb import OPTIONS as OF_EXPLAIN

        options |= {name: Any if kind == str | None else kind for name, kind in OF_EXPLAIN.items()}
    own = {
        **options,
        "seed_everything": bool | int,
        "ckpt_path": Any,
        "weights_only": Any,
        "verbose": Any,
        "return_predictions": Any,
    }
    try:
        for key, setting in settings.value.items():
            if key in groups and not isinstance(setting.value, dict):
                _check(setting, dict, key)
            elif key in groups:
                for name, child in setting.value.items():
                    _check_known(name, list(groups[key]), child.place, f"{key} takes no {name!r}")
                    _check(child, groups[key][name].annotation, f"{key}.{name}")
            elif key in ("model", "data"):
                _check(setting, Task if key == "model" else LightningDataModule, key)
            else:
                _check_known(
                    key,
                    [*groups, "model", "data", *options, "seed_everything"],
                    setting.place,
                    f"no setting {key!r}",
                    own,
                )
                if key in own:
                    _check(setting, own[key], key)
        for key in ("model", "data"):
            if key not in settings.value:
                raise ConfigError(
                    f"{key} is missing: no config file or option says it\nexpected --config FILE, or --{key} CLASS"
                )
    except ConfigError as fault:
        return str(fault)
    return None


def _check(setting: Setting, annotation: Any, path: str) -> None:
    if setting.class_path is not None:
        _check_class(setting, setting.class_path, annotation, path)
        return
    if (
        isinstance(setting.value, str)
        and setting.value.endswith((".yaml", ".yml"))
        and (_bases(annotation) or annotation is dict)
    ):
        raise ConfigError(
            f"{setting.place}: {path}: no such file: {setting.value}\nlooked beside the file that names it"
        )
    if isinstance(setting.value, str) and _bases(annotation) and "." in setting.value:
        _check_class(Setting({}, setting.place), setting.value, annotation, path)
        return
    if isinstance(setting.value, dict):
        for key, child in setting.value.items():
            _check(child, _item(annotation, dict), f"{path}.{key}")
    if isinstance(setting.value, list):
        for number, child in enumerate(setting.value):
            _check(child, _item(annotation, list), f"{path}[{number}]")
    if annotation in (inspect.Parameter.empty, Any) or _holds_class(setting):
        return
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=annotation)
    try:
        parser.parse_object({"value": setting.plain()})
        if setting.plain() is None and type(None) not in (get_args(annotation) or (annotation,)):
            raise ValueError  # to the parser, null is a setting that is not set
    except (ArgumentError, ValueError, TypeError):
        said = "null" if setting.plain() is None else repr(setting.plain())
        raise ConfigError(f"{setting.place}: {path} is {said}; {_expected(annotation, setting)}") from None


def _check_class(setting: Setting, name: str, annotation: Any, path: str) -> None:
    place = setting.value["class_path"].place if "class_path" in setting.value else setting.place
    found = _find_class(name, place, path)
    bases = _bases(annotation)
    if bases and isinstance(found, type) and not issubclass(found, bases):
        raise ConfigError(
            f"{place}: {path}: {name} is no {' or '.join(base.__name__ for base in bases)}{_near_class(bases)}"
        )
    for key, child in setting.value.items():
        if key not in CLASS_KEYS:
            hint = f"\nsettings of {name} stand under init_args"
            raise ConfigError(f"{child.place}: {path}.{key}: not expected beside class_path{hint}")
    parameters = dict(list(_parameters(found).items())[_called_with(annotation) :])
    given = setting.value.get("init_args")
    given = given.value if given is not None and isinstance(given.value, dict) else {}
    for key, child in given.items():
        _check_known(key, list(parameters), child.place, f"{path}: {name} takes no {key!r}")
        _check(child, parameters[key].annotation, f"{path}.{key}")
    for key, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in given:
            raise ConfigError(
                f"{place}: {path}: {name} needs {key!r}\nset {path}.init_args.{key}: {_named(parameter.annotation)}"
            )


def _check_known(key: str, known: list[str], place: str, complaint: str, also: Mapping[str, Any] | None = None) -> None:
    if key in known or key in (also or {}):
        return
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"\ndid you mean {near[0]!r}?" if near else ""
    if not near or len(known) <= 16:
        hint += f"\nit takes: {', '.join(known) or 'nothing'}"
    raise ConfigError(f"{place}: {complaint}{hint}")


def _find_class(name: str, place: str, path: str) -> Any:
    module_name, _, attribute = name.rpartition(".")
    if not module_name:
        raise ConfigError(
            f"{place}: {path}: no class {name!r}\nexpected an import path, such as slimlit.losses.SoftTargets"
        )
    module, missing = None, ""
    parts = module_name.split(".")
    for count in range(1, len(parts) + 1):
        try:
            module = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError as problem:
            if problem.name is None or not module_name.startswith(problem.name):
                raise ConfigError(f"{place}: {path}: cannot import {module_name}: {problem}") from None
            missing = parts[count - 1]
            break
        except Exception as problem:
            raise ConfigError(
                f"{place}: {path}: cannot import {module_name}: {type(problem).__name__}: {problem}"
            ) from None
    if module is not None and missing and isinstance(getattr(module, missing, None), type):
        return getattr(getattr(module, missing), attribute, None)  # a class method
    if missing:
        beside = [entry.name for entry in pkgutil.iter_modules(getattr(module, "__path__", None))]
        near = difflib.get_close_matches(missing, beside, n=1)
        hint = f"\ndid you mean {module.__name__ + '.' if module else ''}{near[0]}?" if near else ""
        raise ConfigError(f"{place}: {path}: no module {module_name!r}{hint}")
    found = getattr(module, attribute, None)
    if found is None:
        names = [key for key, value in vars(module).items() if not key.startswith("_") and callable(value)]
        near = difflib.get_close_matches(attribute, names, n=1)
        own = [key for key in names if str(vars(module)[key].__module__).startswith(module_name)]
        hint = f"\ndid you mean '{module_name}.{near[0]}'?" if near else ""
        raise ConfigError(
            f"{place}: {path}: no {attribute!r} in {module_name}{hint}\nit has: {', '.join(own[:16]) or 'nothing'}"
        )
    return found


def _parameters(target: Any) -> dict[str, ParamData]:
    if isinstance(target, type):
        return {one.name: one for one in get_signature_parameters(target, "__init__")}
    return {one.name: one for one in get_signature_parameters(target, None)}


def _members(annotation: Any) -> list[Any]:
    union = get_origin(annotation) in (Union, types.UnionType)
    return [one for part in get_args(annotation) for one in _members(part)] if union else [annotation]


def _bases(annotation: Any) -> tuple[type, ...]:
    """The classes a setting must be one of, where that is what the annotation says."""
    members = [one for one in _members(annotation) if one is not type(None)]
    plain = (str, int, float, bool, list, dict, object)
    classes = tuple(one for one in members if isinstance(one, type) and one not in plain)
    return classes if len(classes) == len(members) else ()


def _near_class(bases: tuple[type, ...]) -> str:
    known = set()
    for base in bases:
        found: list[type] = base.__subclasses__()
        known |= {f"{one.__module__.rpartition('.')[0]}.{one.__name__}" for one in found}
    ours = [name for name in sorted(known) if name.startswith("slimlit")]
    return f"\nthere are: {', '.join(ours[:8])}" if ours else ""


def _item(annotation: Any, container: type) -> Any:
    for one in _members(annotation):
        arguments = get_args(one)
        origin = get_origin(one)
        if arguments and isinstance(origin, type) and (issubclass(origin, container) or origin in (Iterable, Mapping)):
            return arguments[-1]
    return Any


def _called_with(annotation: Any) -> int:
    """How many arguments a class gets from us, not from the config: an optimizer's parameters."""
    for one in _members(annotation):
        if get_origin(one) is Callable or str(get_origin(one)) == str(Callable):
            return len(get_args(one)[0]) if isinstance(get_args(one)[0], list) else 0
    return 0


def _holds_class(setting: Setting) -> bool:
    if setting.class_path is not None:
        return True
    children = (
        setting.value.values()
        if isinstance(setting.value, dict)
        else setting.value
        if isinstance(setting.value, list)
        else []
    )
    return any(_holds_class(child) for child in children)


def _expected(annotation: Any, setting: Setting) -> str:
    choices = [choice for one in _members(annotation) if get_origin(one) is Literal for choice in get_args(one)]
    near = difflib.get_close_matches(str(setting.value), map(str, choices), n=1)
    return f"expected {_named(annotation)}" + (f"\ndid you mean {near[0]!r}?" if near else "")


def _named(annotation: Any) -> str:
    words: list[str] = []
    for one in _members(annotation):
        if one is type(None):
            words.append("null")
        elif get_origin(one) is Literal:
            words += [str(choice) for choice in get_args(one)]
        elif isinstance(one, type) and not get_args(one):
            words.append(one.__name__)
        else:
            words.append(str(one).replace("typing.", "").replace("collections.abc.", ""))
    return " or ".join(dict.fromkeys(words))
