"""``picture``: a drawing that a report left, in a page that trusts no file."""

import base64

from slimlit.report.html import Html, tag


def picture(svg: str, label: str) -> Html:
    """The drawing shut in as an image: whatever stands in it, it can do nothing and fetch nothing."""
    data = base64.b64encode(svg.encode()).decode("ascii")
    image = tag("img", src=f"data:image/svg+xml;base64,{data}", alt=label)
    return tag("figure", image, class_="scroll", tabindex="0", role="region", aria_label=label)
