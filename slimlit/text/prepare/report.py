"""What was read, kept and dropped, by rule, with examples: as JSON, as text and as a picture; and the manifest of the files."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from slimlit import runs
from slimlit.privacy.origins import carry_origins
from slimlit.text.prepare.bars import draw_bars
from slimlit.text.prepare.documents import Files
from slimlit.text.prepare.parts import hash_of


def write_report(result: Path, settings: dict[str, Any], files: Files, found: dict[str, dict[str, Any]]) -> None:
    """Write ``report.json``, ``report.txt``, ``dropped.svg``, ``prepare.yaml``, ``origins/`` and, last, ``files.json``."""
    report = _report(files, found)
    runs.write(result / "report.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    runs.write(result / "report.txt", tell(report))
    carry_origins(result, settings["sources"], files.paths, report["read"])
    taken = [(rule, one["documents"], False) for rule, one in report["dropped"].items()]
    left = [(name, part["documents"], True) for name, part in report["parts"].items()]
    note = f"{report['read']:,} documents of {report['files']:,} files"
    runs.write(result / "dropped.svg", draw_bars("Where the documents went", [*taken, *left], note))
    runs.write(result / "prepare.yaml", yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    origins = sorted(path.relative_to(result).as_posix() for path in (result / "origins").iterdir())
    reports = ("report.json", "report.txt", "dropped.svg", "prepare.yaml", *origins)
    known = {*found["parts"]["files"], *reports, "files.json", "files.json.unfinished"}
    written = (path.relative_to(result).as_posix() for path in sorted(result.rglob("*")) if path.is_file())
    others = {name: hash_of(result / name) for name in written if name not in known}  # of stages after the parts
    manifest = {
        "made by": f"slimlit prepare {version('slimlit')}",
        "sources": [{"name": path.name, "bytes": path.stat().st_size} for path in files.paths],
        "files": {**found["parts"]["files"], **others},
        "reports": {name: hash_of(result / name) for name in reports},
    }
    runs.write(result / "files.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def _report(files: Files, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    documents = found["documents"]
    dropped = dict(documents["rejected"])
    extra: dict[str, Any] = {}
    for name, stage, part in (("NearDuplicates", "near-duplicates", None), ("Contained", "parts", "contained")):
        taken = found.get(stage, {}) if part is None else found.get(stage, {}).get(part, {})
        if taken:
            details = {key: value for key, value in taken.items() if key not in ("dropped", "samples")}
            dropped[name] = {"documents": taken["dropped"], **details, "samples": taken["samples"]}
    for stage in found:
        if stage not in ("documents", "near-duplicates", "parts"):
            extra[stage] = found[stage]
    return {
        "files": documents["files"],
        "files of no known format": [path.name for path in files.unknown],
        "read": documents["read"],
        "bytes read": documents["bytes read"],
        "passed all rules": documents["kept"],
        "dropped": dropped,
        "parts": found["parts"]["parts"],
        **extra,
    }


def tell(report: dict[str, Any]) -> str:
    """The report as a table to read, with the first dropped document of each rule."""
    read = report["read"]
    lines = [f"{read:,} documents, {report['bytes read'] / 1e6:,.1f} MB, in {report['files']:,} files"]
    if report["files of no known format"]:
        lines.append(f"left alone: {len(report['files of no known format']):,} files of no known format")
    rows = [(rule, one["documents"]) for rule, one in report["dropped"].items()]
    rows = [(rule, count) for rule, count in rows if count or rule not in ("Broken", "Empty")]
    rows += [(name, part["documents"]) for name, part in report["parts"].items()]
    lines += ["", *(f"{name:20} {count:12,} {count / max(1, read):8.2%}" for name, count in rows), ""]
    lines += _tell_tokens(report)
    for rule, one in report["dropped"].items():
        for sample in one["samples"][:1]:
            why = sample.get("why") or ", ".join(
                f"{key} {sample[key]}" for key in ("similarity", "share") if key in sample
            )
            text = sample.get("text") or sample.get("dropped") or sample.get("held out") or ""
            lines.append(f"{rule}: {why}: {' '.join(text.split())[:80]}")
    return "\n".join(lines) + "\n"


def _tell_tokens(report: dict[str, Any]) -> list[str]:
    """The tokenizer and the shards, where there are any."""
    lines = []
    if "tokenizer" in report:
        made = report["tokenizer"]
        lines.append(f"tokenizer: {made['kind']}, {made['tokens']:,} tokens, of {made['texts']:,} training texts")
    if "shards" in report:
        shards = report["shards"]
        lines.append(f"shards: tokens of {shards['tokenizer']}, encoded by {shards['way']}")
        for name, part in shards["parts"].items():
            lines.append(f"{name:20} {part['tokens']:12,} tokens, {part['tokens per byte']:.4f} a byte")
    return [*lines, ""] if lines else []
