"""Names of answerers, which cost nothing to import"""

from __future__ import annotations

DEFAULT_ANSWERER = "auto"
"""Who answers questions about films where nobody is named."""
KINDS = {
    "auto": "stage.inference.auto",
    "zero-shot": "stage.zero_shot.answerer",
    "vlm:": "stage.vlm.local",
    "openai:": "stage.vlm.served",
}
"""Name of an answerer, or prefix of names -> its module, a `Kind`. All other names are those of trained models.

The modules are imported when they are used, so that none makes another slower to start, and by name, because some are
in packages that import this one.
"""
PLACES = {"vlm:": "NAME_OR_FOLDER", "openai:": "URL#MODEL"}
"""Prefix of names -> what follows it, for messages."""
TRAINED = "stage.inference.trained"


def module_of(name: str) -> str:
    """The module with the answerer of this name."""
    named = (
        module
        for kind, module in KINDS.items()
        if (name.startswith(kind) if kind.endswith(":") else name == kind)
    )
    return next(named, TRAINED)


def is_trained(name: str) -> bool:
    """Whether this is the name of a trained model, packaged or a folder, which reads features of a data set."""
    return module_of(name) == TRAINED
