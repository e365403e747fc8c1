"""What OpenAPI is told of the API beyond what its routes say themselves."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from avatarlab.service.avatar import AvatarJob
from avatarlab.service.http_errors import Faults

REFUSALS = {
    401: "no valid token",
    404: "no such avatar",
    408: "the body came too slowly",
    409: "another job of that id",
    410: "deleted",
    413: "too large",
    415: "neither a form nor JSON",
    422: "a field or a photo is wrong",
    503: "full, or queue or storage away: see Retry-After",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documented answers of a route."""
    return {status: {"model": Faults, "description": REFUSALS[status]} for status in statuses}


def body() -> dict[str, Any]:
    """The body of POST /avatars, as a form with photos or as JSON with keys."""
    job = AvatarJob.model_json_schema()
    named = {
        "id": {"type": "string", "format": "uuid", "description": "of your choice; the same again is harmless"}
    }
    keys = job | {"properties": named | job["properties"]}
    photos = {
        view: {"type": "string", "format": "binary", "description": f"{view} photo: JPEG, PNG, WebP or HEIC"}
        for view in ("front", "side")
    }
    plain = {name: one for name, one in job["properties"].items() if not name.endswith("_key")}
    form = job | {"properties": photos | named | plain, "required": ["front", "subject", "stature_cm"]}
    kinds = {"multipart/form-data": {"schema": form}, "application/json": {"schema": keys}}
    return {"requestBody": {"required": True, "content": kinds}}


def describe(app: FastAPI) -> None:
    """Make ``app`` describe itself as OpenAPI 3.0, which Swagger UI 4 reads."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, openapi_version="3.0.3", routes=app.routes,
                description=app.description,
            )  # fmt: skip
            app.openapi_schema = _older(made)
        return app.openapi_schema

    app.openapi = openapi


def _older(schema: Any) -> Any:
    """JSON Schema 2020-12 in OpenAPI 3.0's words: null is a flag there, not a type."""
    if isinstance(schema, list):
        return [_older(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    some = schema.get("anyOf")
    if isinstance(some, list) and {"type": "null"} in some:
        rest = [_older(one) for one in some if one != {"type": "null"}]
        less = {name: _older(one) for name, one in schema.items() if name != "anyOf"}
        only = rest[0] if len(rest) == 1 and "$ref" not in rest[0] else {"anyOf": rest}
        return less | only | {"nullable": True}
    return {name: _older(one) for name, one in schema.items()}
