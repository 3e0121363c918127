"""Turns a big language model into a small, private, explainable one."""
