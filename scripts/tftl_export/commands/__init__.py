"""The command lines of scripts/export.py and scripts/convert.py."""
