"""Explanations and their pictures: a network and a batch in, arrays and drawings out; no lightning, no logger."""
