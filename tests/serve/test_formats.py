"""Every format of the command line by ``?format=`` and by ``Accept``."""

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import avtca
from avtca.plots.html import recognition_html
from avtca.recognize.exports import EXPORTS
from avtca.recognize.writers import write_files
from avtca.serve.formats import TYPES, wanted_format
from avtca.serve.problems import Problem

CLIP = "cremad/1001_DFA_ANG_XX.flv"


@pytest.fixture(scope="module")
def job(client, corpora):
    with (corpora / CLIP).open("rb") as file:
        job = client.post("/v1/jobs?person=all", files={"file": file}).json()
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        assert "done" in [*events.iter_lines()][-2]
    return f"/v1/jobs/{job['id']}/report"


@pytest.fixture(scope="module")
def report(corpora):
    return replace(avtca.load().predict(corpora / CLIP, person="all"), file=Path(CLIP).name)


@pytest.mark.parametrize("name", TYPES)
def test_a_format_is_that_of_the_command_line(client, job, report, name, tmp_path):
    answer = client.get(job, params={"format": name})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == TYPES[name]
    by_type = client.get(job, headers={"Accept": TYPES[name]})
    assert by_type.headers["content-type"] == answer.headers["content-type"]
    if name == "json":
        assert answer.json() == report.to_dict()
    elif name == "html":
        pictures = re.compile(r"data:image/(?:png|jpeg);base64,[\w+/=]+")
        page = write_files(report, tmp_path, "clip")
        assert page.faces is not None and len(page.thumbnails) == 1
        expected = "".join(recognition_html([page], []))
        assert "1001_DFA_ANG_XX.flv" in answer.text
        found = pictures.findall(answer.text)
        assert len(found) >= 2 and found == pictures.findall(expected)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    elif name == "csv":
        assert answer.text == report.to_csv()
    elif name == "parquet":
        assert answer.content[:4] == b"PAR1"
    elif TYPES[name].endswith("+zip"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            found = {name: archive.read(name).decode() for name in archive.namelist()}
        if name == "audformat":
            assert found == EXPORTS[name].content(report)
        else:
            files = EXPORTS[name].files(report, Path())
            assert found == {f"{report.file}{suffix}": text for suffix, text in files.items()}
    else:
        expected = EXPORTS[name].content(report)
        hidden = re.compile(r'DATE="[^"]*"|urn:[^<"]*|\d{4}-\d\d-\d\dT[\d:]*')
        assert hidden.sub("", answer.text) == hidden.sub("", expected)
    if name not in ("json", "html"):
        assert "filename*=UTF-8''1001_DFA_ANG_XX" in answer.headers["content-disposition"]


def test_all_formats_are_offered():
    assert set(TYPES) == {"json", "csv", "html", *EXPORTS}


def test_accept_is_a_list_with_weights():
    assert wanted_format(None, "") == wanted_format(None, "*/*") == "json"
    assert wanted_format(None, "text/csv;q=0.5, text/vtt") == "vtt"
    assert wanted_format(None, "image/png, text/csv;q=0.1, */*;q=0.05") == "csv"
    assert wanted_format(None, "image/png, */*;q=0.05") == "json"
    assert wanted_format("CSV", "text/vtt") == "csv"
    for format, accept, status in (("doc", "", 422), (None, "image/png", 406)):
        with pytest.raises(Problem) as problem:
            wanted_format(format, accept)
        assert problem.value.status == status
