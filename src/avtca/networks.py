"""Networks that are installed with avtca, in onnxruntime."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from avtca.errors import CheckpointError

WEIGHTS = Path(__file__).resolve().parent / "weights"
"""Folder of the networks that are installed with avtca."""


@lru_cache(maxsize=8)
def packaged_network(file_name: str, sha256: str) -> Any:
    """A network of the package, loaded once in a process, on one thread.

    Args:
        file_name: Its file in :data:`WEIGHTS`.
        sha256: Hash of the file, in hexadecimal digits.

    Returns:
        An ``onnxruntime.InferenceSession``.

    Raises:
        CheckpointError: The file is missing, or another one.
    """
    import onnxruntime

    file = WEIGHTS / file_name
    action, fix = f"load {file}", "install avtca again"
    try:
        weights = file.read_bytes()
    except OSError as error:
        raise CheckpointError(action, error.strerror or "it cannot be read", fix) from None
    if hashlib.sha256(weights).hexdigest() != sha256:
        raise CheckpointError(action, "it is damaged or from another version of avtca", fix)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
