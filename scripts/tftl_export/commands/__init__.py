"""The command lines of the exporter and the converter."""
