"""The hidden width and the output layer, from log-probabilities alone."""
