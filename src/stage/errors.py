"""`InputError`, for what a user can get wrong: one line, no traceback."""

INTERRUPTION = (
    "stage: interrupted; no file is left half written, and the same command resumes or starts again"
)


LONGEST_MESSAGE = 2000
"""Characters of a message; of a longer one, which quotes what was read, the beginning and the end are kept."""


class InputError(Exception):
    """The user's input can't be used.

    The message is one line: which file or question, what is wrong, what to do. The command line prints it
    without a traceback and exits with code 2.
    """

    def __init__(self, message: str) -> None:
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[: LONGEST_MESSAGE - 500]} [...] {message[-450:]}"
        super().__init__(message)


def first_line(error: BaseException) -> str:
    """The first line of another library's message, which may be pages long; the exception's name if it is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
