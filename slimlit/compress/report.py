"""What a compression took away, as numbers and as a table."""

from typing import Any

from slimlit.compress.plans import Parts
from slimlit.compress.pruning import count
from slimlit.models import PreTrainedModel


def compare(before: PreTrainedModel, after: PreTrainedModel) -> dict[str, Any]:
    """The size and the parts of both."""
    found: dict[str, Any] = {}
    for name, network in (("before", before), ("after", after)):
        numbers, size = count(network)
        found[name] = {"parameters": numbers, "bytes in float32": size, **vars(Parts.of(network.config))}
    return found


def show(report: dict[str, Any]) -> str:
    """The report as a table."""
    before, after = report["before"], report["after"]
    lines = [f"{'':14}{'before':>14}{'after':>14}"]
    for name, value in before.items():
        for side in value if isinstance(value, dict) else [None]:
            old, new = (value, after[name]) if side is None else (value[side], after[name][side])
            title = name.replace("_", " ") if side in (None, "layers") else f"{side} {name.replace('_', ' ')}"
            if old is not None and name != "shared_heads":
                lines.append(
                    f"{title:24}{old:>14,}{new:>14,}" if len(title) > 14 else f"{title:14}{old:>14,}{new:>14,}"
                )
    return "\n".join(lines)
