"""The run in one line and a handful of numbers."""

from slimlit.report import metrics
from slimlit.report.html import Html, join, tag
from slimlit.report.metrics import count, size
from slimlit.report.reading import Found, dig
from slimlit.report.relatives import made_of, teacher_source
from slimlit.report.sections.networks import student_network, teacher_network
from slimlit.report.sections.privacy import guarantee
from slimlit.report.sections.quality import scores_of, teacher_scores

_FIRST = ("f1", "bleu", "rougeL", "reply_rougeL", "perplexity", "accuracy", "exact_match", "macro_f1", "loss")


def say_what_it_is(found: Found) -> str:
    """One sentence."""
    task = str(dig(found.config, "model", "class_path") or "").rpartition(".")[2]
    words = {"SequenceClassification": "a classifier of texts", "TokenClassification": "a tagger of words"}
    words |= {
        "CausalLM": "a language model",
        "MaskedLM": "a masked language model",
        "Seq2Seq": "a network that writes texts of texts",
    }
    kind = words.get(task, task or "a run")
    source, start = teacher_source(found), made_of(found)
    origin = f", distilled from {_short(source)}" if source else f", trained from {_short(start)}" if start else ""
    private = ", under differential privacy" if found.is_private else ""
    state = "" if found.run.student.is_dir() else "; not finished yet"
    return f"{kind[:1].upper()}{kind[1:]}{origin}{private}{state}."


def show_tiles(found: Found) -> Html | None:
    """Score, share of the teacher's, size and epsilon."""
    tiles: list[tuple[str, str, str]] = []
    test, validation, teacher = scores_of(found, "test"), scores_of(found, "validation"), teacher_scores(found)
    scores, split = (test, "test") if test else (validation, "validation")
    best = next((name for name in _FIRST if name in scores), None)
    if best:
        tiles.append((metrics.shown(best, scores[best]), f"{metrics.name(best)}, {split}", ""))
        if best in teacher and test and metrics.is_score(best) and teacher[best]:
            share = f"{100 * test[best] / teacher[best]:.1f} %"
            tiles.append((share, "of the teacher's", f"it has {metrics.shown(best, teacher[best])}"))
    elif "agreement" in scores:
        tiles.append((metrics.shown("agreement", scores["agreement"]), "agreement with the teacher", ""))
    student, big = student_network(found), teacher_network(found)
    if student and student.parameters:
        less = f"{100 * student.parameters / big.parameters:.0f} % of the teacher's" if big and big.parameters else ""
        tiles.append((count(student.parameters), "parameters", less))
    if student and student.num_bytes:
        less = f"of {size(big.num_bytes)}" if big and big.num_bytes else ""
        tiles.append((size(student.num_bytes), "on disk", less))
    if (cost := guarantee(found)) is not None:
        tiles.append((cost[0], "privacy guarantee", cost[1]))
    if not tiles:
        return None
    shown = [
        tag("li", tag("strong", value), tag("span", name), tag("small", note) if note else None)
        for value, name, note in tiles
    ]
    return tag("ul", join(shown), class_="tiles", aria_label="at a glance")


def _short(source: str) -> str:
    return source.rstrip("/").rpartition("/")[2] if source.startswith(("/", ".", "~", "runs/")) else source
