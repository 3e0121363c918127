"""Where the student comes from, and what came from it."""

from slimlit.report.html import Html, join, tag
from slimlit.report.reading import Found, read_config
from slimlit.report.relatives import as_run, made_of, students_of, teacher_source
from slimlit.runs import Run

_FARTHEST = 5


def show_lineage(found: Found) -> Html | None:
    """Teachers upwards, students downwards, each with a link to its page where it has one."""
    before = _before(found)
    students = students_of(found)
    if not before and not students:
        return None
    steps = [tag("li", one) for one in before]
    steps.append(tag("li", tag("strong", found.run.name), " (this run)", aria_current="page"))
    after = [tag("li", _named(found, run)) for run in students]
    return join(
        [
            tag("ol", *steps, class_="lineage"),
            tag("h3", f"Its students: {len(after)}") if after else None,
            tag("ul", *after) if after else None,
        ]
    )


def _before(found: Found) -> list[Html]:
    """The teacher, its teacher and so on, the first one first; what a run without a teacher starts from."""
    steps: list[Html] = []
    here, seen = found, {found.run.folder.resolve()}
    for _ in range(_FARTHEST):
        source = teacher_source(here) or made_of(here)
        if source is None:
            break
        role = "teacher" if teacher_source(here) else "starts from"
        run = as_run(here, source)
        name = tag("code", source) if run is None else _named(found, run)
        steps.insert(
            0,
            join([name, f" ({role} of {here.run.name})" if role == "teacher" else f" (where {here.run.name} starts)"]),
        )
        if run is None or run.folder.resolve() in seen:
            break
        seen.add(run.folder.resolve())
        here = read_config(run)
    return steps


def _named(found: Found, run: Run) -> Html:
    if run.page.is_file() and run.folder.parent.resolve() == found.run.folder.parent.resolve():
        return tag("a", run.name, href=f"../{run.name}/report.html")
    return tag("code", run.name)
