"""How fast ``slimlit prepare`` removes near-duplicates, and how many it finds, beside its peers."""
