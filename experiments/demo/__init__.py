"""The demo: from nothing to a distilled student."""
