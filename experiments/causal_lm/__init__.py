"""A language model of half the layers, with and without its teacher, on a little text."""
