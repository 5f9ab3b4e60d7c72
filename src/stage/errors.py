"""The one kind of error that is meant for the person at the keyboard."""


class InputError(Exception):
    """Something that the user gave can't be used.

    The message is one line: which file or question, what is wrong, what to do. The command line prints it
    without a traceback and ends with exit code 2.
    """


def first_line(error: BaseException) -> str:
    """Of what another library says, which can be pages, or nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
