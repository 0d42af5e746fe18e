"""Probes of the model list and of single models."""

from collections.abc import Iterator
from urllib.parse import quote

from harness.conformance import (
    MISSHAPEN_REFUSALS,
    Check,
    Ignored,
    Seen,
    accepted,
    bare,
    check,
    count,
    dig,
    probe,
    refuses,
)

NONSENSE = "no-such-model-zq7"

LIST = bare("models_list", "GET /models", "/models", surface="models")
ITEM = bare(
    "models_item",
    "GET the model that is probed",
    # Names of models hold slashes and colons.
    lambda endpoint: f"/models/{quote(endpoint.model_id, safe='')}",
    surface="models",
)
NO_ITEM = bare("models_no_item", "GET a model that does not exist", f"/models/{NONSENSE}", surface="models")


@probe(
    "models.list",
    title="Lists its models",
    sees=(LIST,),
    severity="core",
    spec="OpenAPI: ListModelsResponse",
    faults={"models_404": "rejected", "models_empty": "broken", "models_twice": "broken"},
    profile=("smoke", "core", "full"),
)
def models_list(seen: Seen) -> Iterator[Check]:
    """GET /models answers 200 with object=list and a non-empty data array whose ids are unique strings."""
    capture = seen[LIST]
    yield from accepted(capture)
    data = capture.at("data")
    yield check("data is an array", isinstance(data, list), "an array", data)
    ids = [item.get("id") if isinstance(item, dict) else None for item in data]
    yield check("data is not empty", bool(ids), "one model or more", data)
    yield check("ids are strings", all(isinstance(each, str) and each for each in ids), "non-empty strings", ids)
    yield check("ids are unique", len(set(ids)) == len(ids), "each id once", ids)
    # Clients read data alone, so a missing constant does them no harm.
    yield check("object", capture.at("object") == "list", "list", capture.at("object"), must=False)


@probe(
    "models.item_shape",
    title="Describes each model",
    sees=(LIST,),
    needs=("models.list",),
    spec="OpenAPI: Model.required",
    faults={"models_bare": "partial"},
)
def item_shape(seen: Seen) -> Iterator[Check]:
    """Every listed model has object=model, the integer created and the string owned_by."""
    capture = seen[LIST]
    yield from accepted(capture)
    listed = capture.at("data")
    whole = isinstance(listed, list) and all(isinstance(item, dict) for item in listed)
    yield check("models are objects", whole, "an array of objects", listed)
    for item in listed:
        created, owner = item.get("created"), item.get("owned_by")
        # A typed client stumbles over a value of another type; one that is missing it takes for null.
        yield check("created is a number", created is None or count(created) is not None, "an integer", created)
        yield check("owned_by is text", owner is None or isinstance(owner, str), "a string", owner)
        yield check("created", created is not None, "an integer", item, must=False)
        yield check("owned_by", owner is not None, "a string", item, must=False)
        yield check("object", item.get("object") == "model", "model", item.get("object"), must=False)


@probe(
    "models.has_target",
    title="Lists the model that it serves",
    sees=(LIST,),
    basis="eco",
    needs=("models.list",),
    spec="OpenAPI: Model.id, usable as model of a request",
    faults={"models_alias": "partial"},
)
def has_target(seen: Seen) -> Iterator[Check]:
    """The model of the probes is in the list under the very name that requests use."""
    capture = seen[LIST]
    yield from accepted(capture)
    listed = capture.at("data")
    ids = [dig(item, "id") for item in listed] if isinstance(listed, list) else []
    wanted = seen.endpoint.model_id
    yield check("the model is listed", wanted in ids, wanted, ids, must=False)


@probe(
    "models.retrieve",
    title="Finds one model",
    sees=(ITEM,),
    needs=("models.list",),
    spec="OpenAPI: retrieveModel",
    faults={"models_no_item": "rejected"},
)
def retrieve(seen: Seen) -> Iterator[Check]:
    """GET /models/{id} of the probed model, its name quoted, answers 200 with that id."""
    capture = seen[ITEM]
    yield from accepted(capture)
    name = capture.at("id")
    yield check("id", name == seen.endpoint.model_id, seen.endpoint.model_id, name)
    yield check("object", capture.at("object") == "model", "model", capture.at("object"), must=False)


@probe(
    "models.retrieve_404",
    title="Finds no model that does not exist",
    sees=(NO_ITEM,),
    severity="ext",
    basis="observed",
    needs=("models.retrieve",),
    spec="OpenAPI: retrieveModel, ErrorResponse",
    faults={
        "ignore_model": "ignored",
        **MISSHAPEN_REFUSALS,
        "status_400": "partial",
    },
)
def retrieve_404(seen: Seen) -> Iterator[Check]:
    """GET /models/{id} of a model that does not exist answers 404 with the documented error body."""
    capture = seen[NO_ITEM]
    if capture.status == 200 and dig(capture.json, "id"):
        raise Ignored("a model that does not exist is found", 404, capture.json, of=capture)
    yield from refuses(capture, 404)


PROBES = (models_list, item_shape, has_target, retrieve, retrieve_404)
