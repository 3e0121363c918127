"""The page of an explanation: records in, one self-contained HTML document out."""

from slimlit.explain.page.document import draw_page

__all__ = ["draw_page"]
