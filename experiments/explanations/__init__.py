"""Which explanation to trust: every method's exam on three data sets, and other libraries beside ours."""
