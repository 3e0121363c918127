"""The steps of ``slimlit prepare`` as tasks of datatrove, for a corpus that outgrows one machine."""
