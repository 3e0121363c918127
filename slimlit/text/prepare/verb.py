"""The verb ``prepare``: settings of a YAML file and the command line, mistakes told in a line or two."""

import difflib
import importlib
import inspect
import json
import re
import sys
from typing import Any

import yaml

from slimlit.text.prepare.preparation import Preparation, path_of
from slimlit.text.prepare.rules import Rule

EXAMPLE = "slimlit prepare --config configs/prepare/slimpajama.yaml --sources texts/ --output data/clean"


def prepare(arguments: list[str]) -> int:
    """The verb ``prepare``; returns the exit status."""
    import jsonargparse

    parser = jsonargparse.ArgumentParser(
        prog="slimlit prepare",
        description="Raw text to a data set with a report. The same command goes on with a run that was stopped.",
        epilog=f"example: {EXAMPLE}",
        exit_on_error=False,
    )
    parser.add_argument("-c", "--config", action="config", help="a YAML file with these settings")
    parser.add_class_arguments(Preparation, sub_configs=False)
    try:
        chosen = parser.instantiate(parser.parse_args(_together(arguments)))
        del chosen["config"]
        output = Preparation(**vars(chosen)).run()
    except jsonargparse.ArgumentError as mistake:
        print(f"error: {_short(str(mistake), parser)}\nexample: {EXAMPLE}", file=sys.stderr)
        return 2
    except ValueError as mistake:
        print(f"error: {_short(str(mistake), parser)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 1
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    print((output / "report.txt").read_text(encoding="utf-8"))
    shown = ", ".join(f"{part['documents']:,} {name}" for name, part in report["parts"].items())
    made = "".join(f", {name}/" for name in ("tokenizer", "shards") if name in report)
    print(f"{output}: {shown} documents{made}; report.json, report.txt, dropped.svg, files.json")
    return 0


def _together(arguments: list[str]) -> list[str]:
    """The command line with all sources in one list, where the first stands: one after another, or named one by one."""
    sources: list[str] = []
    others: list[str] = []
    first, place, reads = "", 0, False
    for word in arguments:
        name, _, value = word.partition("=")
        if name in ("--sources", "--sources+"):
            if not first:
                first, place = name, len(others)  # with + they come after those of a config
            reads = True
            word = value
        elif word.startswith("-"):
            reads = False
        if not reads:
            others.append(word)
        elif re.fullmatch(r"\[[^\[\]{}\"']*\]", word):
            sources += yaml.safe_load(word)
        elif word:
            sources.append(word)
    if len(sources) < 2:
        return arguments
    return [*others[:place], first, json.dumps(sources), *others[place:]]


def _short(mistake: str, parser: Any) -> str:
    """The lines of the parser's message that say what is wrong, and a name near one it does not know."""
    given = re.search(r"Problem with given class_path '(.+)':\s+Option '(\w+)' is not accepted", mistake)
    if given:
        module, _, name = given[1].rpartition(".")
        known = list(inspect.signature(getattr(importlib.import_module(module), name)).parameters)
        near = difflib.get_close_matches(given[2], known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{name} takes no {given[2]!r}\n{hint}it takes: {', '.join(known) or 'nothing'}"
    named = re.search(r'key "tokenizer":.*Expected a dot import path string: (\S+)', mistake, re.DOTALL)
    if named:
        return f"tokenizer trains one: {{vocab_size: 8000}}; it is {named[1]!r}\none that is there already makes shards: --shards.tokenizer {named[1]}"
    unknown = re.search(r"[Uu]nrecognized arguments?:? -*([\w.]+)|[Oo]ption '([\w.]+)' is not accepted", mistake)
    if unknown:
        name = unknown[1] or unknown[2]
        near = difflib.get_close_matches(name, [action.dest for action in parser._actions], n=1)
        return f"no setting {name!r}" + (f"\ndid you mean {near[0]!r}?" if near else "")
    rule = re.search(r"Given value: ([\w.]*rules?[\w.]*)$", mistake, re.MULTILINE)
    if rule:
        near = difflib.get_close_matches(rule[1], [path_of(kind) for kind in Rule.__subclasses__()], n=1)
        return f"no rule {rule[1]!r}" + (f"\ndid you mean {near[0]!r}?" if near else "")
    _, errors, below = mistake.partition("Errors:\n")
    said = re.split(r"^ *- ", below, flags=re.MULTILINE)[1] if errors else mistake
    lines = [line.strip() for line in said.splitlines() if "given class_path" not in line]
    return "\n".join(lines[:2])
