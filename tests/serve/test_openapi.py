"""The OpenAPI description is right: its examples run, and generated requests find nothing."""

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance
from services import serving, until

from avtca.serve.openapi import EXAMPLES, RESPONSES

N_REQUESTS = 5

FAULTS = (Failure, FailureGroup, ExceptionGroup)
CLIP = "cremad/1001_DFA_ANG_XX.flv"


@pytest.fixture(scope="module")
def description(client):
    return client.get("/openapi.json").json()


def validator(description, schema):
    return jsonschema_rs.Draft202012Validator({**schema, "components": description["components"]})


def operations(description):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_it_is_openapi_3_1_and_describes_all_routes(description):
    assert description["openapi"].startswith("3.1")
    paths = set(description["paths"])
    assert paths >= {"/v1/recognize", "/v1/models", "/v1/jobs", "/v1/jobs/{id}", "/readyz"}
    assert not {"/login", "/"} & paths
    for path, method, operation in operations(description):
        assert operation.get("summary") and operation.get("description"), (path, method)
        problem = operation["responses"]["4XX"]["content"]
        assert list(problem) == ["application/problem+json"]


def test_examples_of_answers_fit_their_schema(description):
    for path, method, status in RESPONSES:
        content = description["paths"][path][method]["responses"][status]["content"]
        found = content["application/json"]
        validator(description, found["schema"]).validate(found["example"])


@pytest.mark.slow
def test_examples_of_requests_run(client, corpora, description):
    """The documented examples are sent, and the answers fit what is documented."""
    until(lambda: client.get("/readyz").status_code == 200)
    clip = (corpora / CLIP).read_bytes()
    job, compared = "", []
    order = sorted(
        operations(description), key=lambda each: (each[1] == "delete", "{id}" in each[0])
    )
    for path, method, operation in order:
        query = {
            name: value for (p, m, name), value in EXAMPLES.items() if (p, m) == (path, method)
        }
        kinds = operation.get("requestBody", {}).get("content", {})
        body = {}
        for kind, each in kinds.items():
            if "example" in each:
                body = {"json" if kind == "application/json" else "content": each["example"]}
            elif kind == "application/octet-stream":
                body = {"content": clip}
        answer = client.request(method, path.replace("{id}", job), params=query, **body)
        assert answer.is_success, (path, method, answer.text)
        if (path, method) == ("/v1/jobs", "post"):
            job = answer.json()["id"]
            with client.stream("GET", f"/v1/jobs/{job}/events") as events:
                list(events.iter_lines())
        documented = operation["responses"][str(answer.status_code)]["content"]
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in documented, (path, method)
        if kind == "application/json":
            validator(description, documented[kind]["schema"]).validate(answer.json())
            if path.startswith("/v1/coding") and "example" in documented[kind]:
                assert answer.json() == documented[kind]["example"]
                compared.append(path)
        if path == "/v1/coding/export":
            assert b"ANNOTATION_DOCUMENT" in answer.content
    assert compared == ["/v1/coding/import", "/v1/coding/agreement"]


@pytest.mark.slow
def test_generated_requests_find_nothing(tmp_path):
    """Requests of every route that fit the description, and others that do not."""
    faults = {}
    with serving(tmp_path / "data") as service:
        service.ready()
        schema = schemathesis.openapi.from_url(f"{service.client.base_url}openapi.json")
        routes = [found.ok() for found in schema.get_all_operations()]
        for route in routes:
            try:
                check(route, N_REQUESTS)
            except FAULTS as fault:
                faults[route.label] = str(fault)
        assert service.client.get("/healthz").status_code == 200
        assert "internal error" not in service.log.read_text()
    assert not faults, "\n".join(f"{route}: {fault}" for route, fault in faults.items())
    assert len(routes) >= 13


def check(route, n):
    @seed(26)
    @settings(max_examples=n, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    @given(case=route.as_strategy())
    def run(case):
        # Random bytes are no recording; JSON Schema has no "ends after its start".
        posts = [positive_data_acceptance] if route.method.upper() == "POST" else []
        case.call_and_validate(excluded_checks=posts)

    run()
