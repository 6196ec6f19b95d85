"""NNX modules that own parameters: layers over sequences, and cells of one step."""
