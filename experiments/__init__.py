"""Experiments: what was measured, with the commands that measure it again. Nothing in slimlit imports them."""
