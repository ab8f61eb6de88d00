"""Exports a Keras network as a SavedModel that carries its own training steps."""
