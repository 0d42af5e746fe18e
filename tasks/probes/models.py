"""Probes of the model list."""

from collections.abc import Iterator

from harness.conformance import Check, Seen, accepted, bare, check, probe

LIST = bare("models_list", "GET /models", "/models", surface="models")


@probe(
    "models.list",
    title="Lists its models",
    sees=(LIST,),
    severity="core",
    spec="OpenAPI: ListModelsResponse",
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


PROBES = (models_list,)
