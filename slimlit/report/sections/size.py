"""How large the student is and how fast: what was timed, exported and taken away."""

from typing import Any

from slimlit.report.html import Html, Part, facts, join, table, tag
from slimlit.report.metrics import count, size
from slimlit.report.reading import Found, dicts, dig, number
from slimlit.report.sections.anything import show_anything
from slimlit.report.sections.pictures import picture

NAMES = ("bench", "compress", "export")


def show_size(found: Found) -> Html | None:
    """The reports of ``bench``, ``export`` and ``compress``."""
    exports = [report for name, report in found.reports.items() if name.startswith("export-") and report]
    parts = [_bench(found), _exports(exports), _compressed(found)]
    return join(parts) if any(parts) else None


def _bench(found: Found) -> Html | None:
    report = found.reports.get("bench")
    if not report:
        return None
    contestants = dicts(report, "contestants")
    if not contestants:
        return show_anything("bench", report)
    settings = list(dict.fromkeys(name for one in contestants for name in dig(one, "times") or {}))
    quality = next((name for name in ("accuracy", "perplexity") if any(name in one for one in contestants)), None)
    head = [
        "",
        "precision",
        "files",
        "peak memory",
        *([quality] if quality else []),
        *settings,
        "1000 texts (estimate)",
    ]
    rows: list[list[Part]] = []
    for one in contestants:
        num_bytes, peak = number(one.get("num_bytes")), number(one.get("peak MiB"))
        cells = [str(one.get("precision")), size(num_bytes) if num_bytes else "-", f"{peak:.1f} MiB" if peak else "-"]
        cells += [_quality(quality, one.get(quality))] if quality else []
        cells += [_time(dig(one, "times", name)) for name in settings]
        joules = number(dig(one, "energy of 1000 texts", "joules"))
        rows.append([str(one.get("name")), *cells, f"{joules:,.1f} J" if joules is not None else "-"])
    said = [
        (name, str(report[name]))
        for name in ("processor", "cores", "validation texts", "load before")
        if name in report
    ]
    missing = [tag("p", f"not measured: {line}", class_="muted") for line in report.get("not measured") or []]
    drawn = found.pictures.get("bench")
    return join(
        [
            table("Side by side on one machine, medians of a batch", head, rows),
            facts(said, "facts line"),
            *missing,
            picture(drawn, "quality, size and speed of each") if drawn else None,
        ]
    )


def _quality(name: str | None, value: Any) -> str:
    found = number(value)
    return "-" if found is None else f"{100 * found:.1f} %" if name == "accuracy" else f"{found:.4g}"


def _time(times: Any) -> str:
    milliseconds = number(dig(times, "ms"))
    return "-" if milliseconds is None else f"{milliseconds:.3g} ms"


def _exports(exports: list[dict[str, Any]]) -> Html | None:
    if not exports:
        return None
    head = [
        "export",
        "files",
        "metric",
        "the network's",
        "answers changed",
        "least cosine",
        "one text",
        "PyTorch's",
        "gate",
    ]
    rows: list[list[Part]] = []
    for one in exports:
        measures, metric, latency = one.get("measures") or {}, one.get("metric") or {}, one.get("latency") or {}
        scores = [number(metric.get(name)) for name in ("exported", "network")]
        times = [number(dig(latency, name, "ms")) for name in ("export", "eager PyTorch, fp32")]
        faults = [*(one.get("faults") or []), *(one.get("allowed") or [])]
        rows.append(
            [
                str(one.get("name")),
                size(number(one.get("bytes")) or 0.0),
                *(f"{metric.get('name', '')} {value:.4f}".strip() if value is not None else "-" for value in scores),
                f"{measures.get('label flips', '-')} of {measures.get('places', '-')}",
                f"{cosine:.5f}" if (cosine := number(measures.get("least cosine"))) is not None else "-",
                *(f"{value:.3g} ms" if value is not None else "-" for value in times),
                tag("span", "; ".join(map(str, faults)) if faults else "passed", class_="bad" if faults else "good"),
            ]
        )
    return table("Exports, each read in its own runtime", head, rows)


def _compressed(found: Found) -> Html | None:
    report = found.reports.get("compress")
    if not report:
        return None
    before, after = dig(report, "before") or {}, dig(report, "after") or {}
    rows: list[list[Part]] = []
    for name, old in _flat(before).items():
        new = _flat(after).get(name)
        if new is not None:
            shown = size if name.startswith("bytes") else count
            rows.append([name.replace("_", " "), shown(old), shown(new), f"{100 * new / old:.1f} %" if old else "-"])
    said = [
        (name, str(report[name])) for name in ("of", "score", "vocabulary", "epochs") if report.get(name) is not None
    ]
    return join([table("What was taken away", ["", "before", "after", "left"], rows), facts(said, "facts line")])


def _flat(value: dict[str, Any], before: str = "") -> dict[str, float]:
    """The numbers of a report by name, those inside others too."""
    found: dict[str, float] = {}
    for name, one in value.items():
        if isinstance(one, dict):
            found |= _flat(one, f"{before}{name} ")
        elif (known := number(one)) is not None:
            found[f"{before}{name}"] = known
    return found
