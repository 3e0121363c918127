"""The commands and the config that make the run again."""

from slimlit.report.html import Html, details, join, tag
from slimlit.report.reading import Found

_VERBS = {"validate": "validate", "test": "test", "audit": "audit", "bench": "bench"}


def show_reproduction(found: Found) -> Html | None:
    """Commands to type, and every setting as it was resolved."""
    if not found.config_text:
        return None
    run = found.run.short_name
    commands = [f"slimlit fit --config {found.run.config} --run {found.run.name}-again"]
    commands += [f"slimlit {verb} --run {run}" for verb, report in _VERBS.items() if report in found.reports]
    if found.run.last.is_file():
        commands.append(f"{found.run.resume_command()}   # from the last checkpoint")
    return join(
        [
            tag("pre", tag("code", "\n".join(commands)), tabindex="0", aria_label="commands", role="region"),
            details("config.yaml: every setting", tag("pre", tag("code", found.config_text), tabindex="0")),
        ]
    )
