"""Real speech to try everything on: a digit recogniser and the voice of a speaker it has never heard."""
