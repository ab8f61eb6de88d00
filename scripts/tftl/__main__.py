"""`python -m tftl` is the program."""

from . import program

program()
