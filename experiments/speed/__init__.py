"""How fast slimlit distils, beside the floor and beside its peers, in CPU seconds."""
