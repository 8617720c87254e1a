"""The OpenAPI description: uploads, formats, problems and examples beside what FastAPI finds."""

import copy
from typing import Any

from fastapi import FastAPI

from avtca.recognize.exports.coding import CODING_EXPORTS
from avtca.serve.auth import OPEN_PATHS, Tokens
from avtca.serve.formats import JSON, TYPES
from avtca.serve.problems import MEDIA_TYPE

_BINARY = {"type": "string", "format": "binary"}
UPLOAD = {
    "required": True,
    "description": "The recording: the field file, or the body itself with its name in ?name=.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": _BINARY},
                "additionalProperties": False,
            }
        },
        "application/octet-stream": {"schema": _BINARY},
    },
}
UPLOADS = ("/v1/recognize", "/v1/jobs", "/v1/coding/import")
"""Routes that take a file."""
CODING_EXPORT = "/v1/coding/export"
_TIER, _OTHER = (
    {
        "name": coder,
        "intervals": [
            {"start_s": 0.5, "end_s": end_s, "label": "happy"},
            {"start_s": end_s, "end_s": 4.0, "label": "neutral"},
        ],
    }
    for coder, end_s in (("AB", 2.0), ("CD", 1.5))
)
BODIES: dict[tuple[str, str], Any] = {
    (CODING_EXPORT, "post"): {"media": "clip.mp4", "duration_s": 4.2, "tiers": [_TIER]},
    ("/v1/coding/agreement", "post"): {"first": _TIER, "second": _OTHER, "exclude": [[3.0, 4.0]]},
}
"""Examples of JSON bodies, by path and method; tests send them."""
FILES: dict[tuple[str, str], str] = {
    ("/v1/coding/import", "post"): "start,end,label,tier\n0.5,2,happy,AB\n",
}
"""Examples of small files, by path and method; tests send them."""
REPORTS = (("/v1/recognize", "post"), ("/v1/jobs/{id}/report", "get"))
"""Routes that answer with a report."""
STREAMS = {"/v1/jobs/{id}/events": "text/event-stream", "/metrics": "text/plain"}
PROBLEM: dict[str, Any] = {
    "description": "A problem (RFC 9457).",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
}
JOB_ID = "0123456789abcdef0123456789abcdef"
EXAMPLES: dict[tuple[str, str, str], Any] = {
    ("/v1/recognize", "post", "person"): "speaker",
    ("/v1/recognize", "post", "name"): "clip.flv",
    ("/v1/recognize", "post", "format"): JSON,
    ("/v1/jobs", "post", "model"): "avt-ca",
    ("/v1/jobs", "post", "person"): "all",
    ("/v1/jobs", "post", "merge"): ["0=0"],
    ("/v1/jobs", "post", "attention"): True,
    ("/v1/jobs", "post", "name"): "clip.flv",
    ("/v1/jobs/{id}/report", "get", "format"): "csv",
    (CODING_EXPORT, "post", "format"): "eaf",
    ("/v1/coding/import", "post", "name"): "clip.csv",
}
"""Examples of parameters, by path, method and name; tests send them."""
RESPONSES: dict[tuple[str, str, str], Any] = {
    ("/healthz", "get", "200"): {"status": "ok"},
    ("/readyz", "get", "200"): {"ready": 2, "workers": 2, "busy": 0},
    ("/v1/jobs", "post", "202"): {
        "id": JOB_ID,
        "state": "queued",
        "name": "clip.flv",
        "done_s": 0.0,
        "duration_s": None,
        "created": "2026-11-28T10:00:00Z",
        "expires": "2026-11-29T10:00:00Z",
        "problem": None,
        "model": "avt-ca",
        "person": "all",
        "merge": ["1=0"],
    },
    ("/v1/jobs/{id}/track", "get", "200"): {
        "width": 480,
        "height": 360,
        "step_s": 0.1,
        "faces": [{"person": 0, "time_s": [0.033], "box": [[169.0, 70.0, 261.0, 203.0]]}],
        "waveform": {"rate": 50, "peaks": [0.01, 0.2]},
        "frames": [0.033],
    },
    ("/v1/coding/import", "post", "200"): {
        "media": "",
        "duration_s": None,
        "tiers": [
            {
                "name": "AB",
                "intervals": [{"start_s": 0.5, "end_s": 2.0, "label": "happy"}],
                "coder": "",
                "participant": "",
                "notes": "",
            }
        ],
        "labels": [],
        "left_out": [],
    },
    ("/v1/coding/agreement", "post", "200"): {
        "kappa": 0.6153846153846154,
        "per_label": {
            name: {
                "kappa": 0.6153846153846154,
                "first_s": first_s,
                "second_s": 2.5 - first_s,
                "both_s": 1.0,
            }
            for name, first_s in (("happy", 1.5), ("neutral", 1.0))
        },
        "agreed_s": 2.0,
        "compared_s": 2.5,
    },
    ("/v1/recognize", "post", "200"): {
        "file": "clip.flv",
        "top": "angry",
        "confidence": 0.8527,
        "sure": True,
        "sure_from": 0.56,
        "streams": "both",
        "scores": {"angry": 0.8527, "happy": 0.1473},
        "timeline": [
            {
                "start_s": 0.0,
                "end_s": 2.3,
                "person": 0,
                "top": "angry",
                "scores": {"angry": 0.8527, "happy": 0.1473},
                "modalities": ["face", "voice"],
                "face": 1.0,
                "voice": 0.604,
                "box": [169, 70, 261, 203],
                "speaking": 0.59,
            }
        ],
        "speech": [{"start_s": 0.31, "end_s": 2.1, "person": 0, "visible": True}],
        "coverage": {"read": 1.0, "face": 1.0, "voice": 0.604},
        "warnings": [],
        "model": "avtca-7 (88e93f1a6989)",
        "duration_s": 2.3,
        "thresholds": {"both": 0.56},
    },
}
"""Examples of JSON answers, by path, method and status."""


def describe(app: FastAPI, tokens: Tokens) -> None:
    """Make ``app.openapi()`` complete."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(plain(), tokens)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(schema: dict[str, Any], tokens: Tokens) -> None:
    paths = schema["paths"]
    for path in UPLOADS:
        paths[path]["post"]["requestBody"] = copy.deepcopy(UPLOAD)
    for (path, method), text in FILES.items():
        body = paths[path][method]["requestBody"]["content"]
        body["application/octet-stream"]["example"] = text
    for (path, method), example in BODIES.items():
        body = paths[path][method]["requestBody"]["content"]
        body["application/json"]["example"] = example
    paths[CODING_EXPORT]["post"]["responses"]["200"]["content"] = {
        TYPES[name]: {"schema": _BINARY} for name in CODING_EXPORTS
    }
    for path, method in REPORTS:
        content = paths[path][method]["responses"]["200"]["content"]
        for each in TYPES.values():
            content.setdefault(each, {"schema": _BINARY})
    for path, each in STREAMS.items():
        paths[path]["get"]["responses"]["200"]["content"] = {each: {"schema": {"type": "string"}}}
    for path, methods in paths.items():
        for method, operation in methods.items():
            operation["responses"].update({"4XX": PROBLEM, "5XX": PROBLEM})
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "format" and (path, method) in REPORTS:
                    parameter["schema"] = {"type": "string", "enum": list(TYPES)}
                if (key := (path, method, parameter["name"])) in EXAMPLES:
                    parameter["example"] = EXAMPLES[key]
            for status, response in operation["responses"].items():
                if (key := (path, method, status)) in RESPONSES:
                    response["content"]["application/json"]["example"] = RESPONSES[key]
            if tokens and path not in OPEN_PATHS:
                operation["security"] = [{"token": []}]
    if tokens:
        scheme = {"type": "http", "scheme": "bearer", "description": "A line of the token file."}
        schema["components"]["securitySchemes"] = {"token": scheme}
