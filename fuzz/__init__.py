"""Fuzzing of everything that reads a file: `python -m fuzz`, or `make fuzz`.

Small valid files of every kind are changed at random, from a seed, and given to the command that reads them. It
has to read them or to refuse them with one line, in seconds and within bounded memory, whatever they contain.
"""
