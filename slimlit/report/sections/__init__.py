"""The sections of a run's page, each a function from what was found to what is shown, or to None."""
