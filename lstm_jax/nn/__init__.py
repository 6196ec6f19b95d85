"""NNX modules that own their parameters: layers over sequences, and cells that take one step."""
