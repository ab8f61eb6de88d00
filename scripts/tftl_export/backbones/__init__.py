"""The networks that can be exported: those of a table, and your own Keras models."""
