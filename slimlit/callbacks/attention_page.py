"""One page over all attention pictures of a run, example by example, step after step."""

from html import escape
from pathlib import Path

UNSCORED = "not yet scored: not an explanation"
_PAGE = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>attention over training</title>
<style>
:root{{{{color-scheme:light dark}}}}
body{{{{font-family:system-ui,sans-serif;margin:1rem;background:#fff;color:#1b1f24}}}}
@media(prefers-color-scheme:dark){{{{body{{{{background:#0d1117;color:#f0f6fc}}}} a{{{{color:#79c0ff}}}}}}}}
img{{{{display:block;margin:0 0 .5rem}}}}
</style>
<h1>Where the student looked, step by step</h1>
<p>Diagnostics of training ({UNSCORED}).</p>
<p>{{links}}</p>
{{sections}}
</html>
"""


def attention_page(folder: Path) -> str:
    """The page for what is in ``folder`` by now: ``step-000123/*.svg``."""
    steps = sorted(folder.glob("step-*"), key=lambda step: int(step.name.removeprefix("step-")))
    names = sorted({picture.stem for step in steps for picture in step.glob("*.svg")})
    sections = []
    for name in names:
        pictures = [f"{step.name}/{name}.svg" for step in steps if (step / f"{name}.svg").is_file()]
        images = "\n".join(f'<a href="{path}"><img loading="lazy" src="{path}" alt="{path}"></a>' for path in pictures)
        sections.append(f'<h2 id="{name}">{escape(name)}</h2>\n{images}')
    links = " ".join(f'<a href="#{name}">{escape(name)}</a>' for name in names)
    return _PAGE.format(links=links, sections="\n".join(sections))
