"""How fast texts become tokens, and whether they are the right ones."""
