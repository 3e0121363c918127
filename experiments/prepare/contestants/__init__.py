"""Peers, each a script of its own for an environment of its own: a file in, kept/*.jsonl out."""
