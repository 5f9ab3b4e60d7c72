"""Asking films on the command line: options, printed answers, files of questions, sessions on a terminal."""
