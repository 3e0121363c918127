"""How much a trained model can tell of one example: accounting."""
