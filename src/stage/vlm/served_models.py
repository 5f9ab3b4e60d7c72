"""The models of a server: where its interface is, and which model is asked"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stage.errors import InputError
from stage.vlm.client import Client, RefusedError
from stage.vlm.served_address import PREFIX
from stage.vlm.served_errors import short
from stage.vlm.served_wire import Model, Models, read_reply

MOST_LISTED = 8
"""Models that a message names."""
NO_LIST, UNKNOWN = frozenset((404, 405, 501)), frozenset((400, 404, 422))
"""States of HTTP of a server that lists no models, and of one that doesn't have the model that was named."""


@dataclass(frozen=True, slots=True)
class Server:
    """A model, and where it is asked."""

    root: str
    """The URL of the interface, such as http://localhost:8000/v1."""
    model: Model
    listed: tuple[Model, ...] = ()
    """All that it says it has; some servers have others, too."""

    def explained(self, refusal: RefusedError) -> InputError:
        """The refusal of a request that is as plain as can be: if the model isn't listed, that is why."""
        if refusal.status not in UNKNOWN or self.model in self.listed or not self.listed:
            return refusal
        said = f" ({refusal.reason})" if refusal.reason else ""
        return InputError(
            f"{self.root}: has no model {short(self.model.id)}{said}; name one of these: {_names(self.listed)}"
        )


def find_server(client: Client) -> Server:
    """Find the interface at an address, with "/v1" and without, and the model that is meant there.

    A model that was named need not be listed: some servers load others as well. Raises InputError if there is no
    server, or several models are listed and none was named.
    """
    root, listed = _listed(client)
    address = client.address
    if address.model:
        known = {model.id: model for model in listed}
        return Server(root, known.get(address.model, Model(id=address.model)), listed)
    if len(listed) == 1:
        return Server(root, listed[0], listed)
    if not listed:
        raise InputError(
            f"{PREFIX}{address.url}: the server lists no model; start it with one, or name one: "
            f"{PREFIX}{address.url}#MODEL"
        )
    raise InputError(
        f"{PREFIX}{address.url}: the server has {len(listed)} models ({_names(listed)}); name one: "
        f"{PREFIX}{address.url}#{short(listed[0].id)}"
    )


def _names(models: Sequence[Model]) -> str:
    names = ", ".join(short(model.id) for model in models[:MOST_LISTED])
    return names + (f" and {len(models) - MOST_LISTED} more" if len(models) > MOST_LISTED else "")


def _listed(client: Client) -> tuple[str, tuple[Model, ...]]:
    """The URL of the interface, and the models that are listed there."""
    problem: InputError | None = None
    for root in client.address.roots:
        url = f"{root}/models"
        try:
            content = client.get(url)
        except RefusedError as refusal:
            if refusal.status not in NO_LIST:
                raise
            problem = problem or refusal
            continue
        try:
            return root, read_reply(Models, content, url).data
        except InputError as error:  # the pages of a server may be where the interface was looked for
            problem = problem or error
    assert problem is not None
    if client.address.model and isinstance(problem, RefusedError):
        return client.address.roots[0], ()
    raise problem
