"""The verb ``prepare``: settings of a YAML file and the command line, mistakes told in a line or two."""

import difflib
import json
import re
import sys
from typing import Any

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
        chosen = parser.instantiate(parser.parse_args(arguments))
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
    print(f"{output}: {shown} documents; report.json, report.txt, dropped.svg, manifest.json")
    return 0


def _short(mistake: str, parser: Any) -> str:
    """The lines of the parser's message that say what is wrong, and a name near one it does not know."""
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
    return "\n".join(line.strip() for line in said.splitlines()[:2])
