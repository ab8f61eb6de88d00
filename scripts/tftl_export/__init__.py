"""Exports a Keras network as a SavedModel that contains its own training steps."""
