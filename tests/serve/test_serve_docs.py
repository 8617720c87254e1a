"""docs/serve.md, Dockerfile and compose.yaml are right, as far as that shows without Docker."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from services import serving
from walkthrough import steps_of

from avtca.serve.settings import ENVIRONMENT, Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "serve.md"
CLIP = "cremad/1001_DFA_ANG_XX.flv"
CHECK = re.compile(r'CMD \["python", "-c", "([^"]+)"\]')


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("serve") / "data") as service:
        service.ready()
        yield service


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl")
def test_the_examples_run(service, corpora, tmp_path):
    shutil.copyfile(corpora / CLIP, tmp_path / "clip.flv")
    commands = "\n".join(line for step in steps_of(PAGE) for line in step.commands)
    script = commands.replace("http://127.0.0.1:8000/", str(service.client.base_url))
    assert script.count("curl") == 8
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in (
        '"top": "angry"',
        "WEBVTT",
        "clip.flv,0.0,1.5",
        "event: job",
        "ANNOTATION_DOCUMENT",
        '"waveform"',
    ):
        assert expected in done.stdout.replace('"top":"', '"top": "')


def test_the_table_has_every_setting_with_its_default():
    table = dict(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]*) \|", PAGE.read_text(), re.M))
    shown = {
        name: default.strip("` ")
        for names, defaults in table.items()
        for name, default in zip(re.findall(r"\w+", names), defaults.split(", "), strict=False)
    }
    for name, field in Settings.model_fields.items():
        default = {"data": "serve` in the cache folder", "token_file": "none"}.get(
            name, str(field.default).removesuffix(".0").lower()
        )
        assert shown.pop(name) == default, name
    assert set(shown) <= {"default"}


def test_the_image_has_valid_settings_and_no_rights():
    text = (ROOT / "Dockerfile").read_text()
    names = {
        name.removeprefix(ENVIRONMENT).lower() for name in re.findall(r"AVTCA_SERVE_\w+", text)
    }
    assert names and names <= set(Settings.model_fields)
    assert re.search(r"^USER 10001$", text, re.M) and "HEALTHCHECK" in text
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    service = compose["services"]["avtca"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    for name in re.findall(
        r'"([\w.-]+)"', re.search(r"license-files.*", (ROOT / "pyproject.toml").read_text())[0]
    ):
        assert f"!{name}" in kept


def test_the_health_check_tells_whether_the_service_lives(service):
    code = CHECK.search((ROOT / "Dockerfile").read_text())[1]
    port = str(service.client.base_url.port)
    alive = subprocess.run([sys.executable, "-c", code.replace("8000", port)])
    dead = subprocess.run([sys.executable, "-c", code.replace("8000", "9")], capture_output=True)
    assert (alive.returncode, dead.returncode) == (0, 1)
