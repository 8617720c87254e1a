"""Addresses that fsspec reads: globs, file objects, and which of them are local files."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from avtca.errors import ConfigError, MediaError, MissingExtra
from avtca.media.find import MEDIA_SUFFIXES

LOCAL = ("file", "local")
"""Protocols of local files."""
_PROTOCOL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_MAGIC = re.compile(r"[*?[]")


def is_address(text: str) -> bool:
    """Whether a text is an address such as ``s3://bucket/a.mp4`` or ``zip://a.wav::a.zip``."""
    return bool(_PROTOCOL.match(text)) or "::" in text


def protocols(address: str) -> list[str]:
    """The protocols of an address, from the recording to what holds it."""
    found = [_PROTOCOL.match(part) for part in address.split("::")]
    return [match[1].lower() for match in found if match]


def require_clients(address: str) -> None:
    """Check that the packages for an address are installed.

    Raises:
        MissingExtra: fsspec or the client of a protocol is not installed.
        MediaError: fsspec does not support a protocol.
    """
    action = f"read {address}"
    try:
        import fsspec
    except ImportError as error:
        problem = "addresses need fsspec, which is not installed"
        raise MissingExtra(action, problem, "pip install 'avtca[annotate]'") from error
    for protocol in protocols(address):
        try:
            fsspec.get_filesystem_class(protocol)
        except ImportError as error:
            fix = "install it on every machine that reads"
            raise MissingExtra(action, f"{protocol}:// needs a client ({error})", fix) from error
        except ValueError as error:
            fix = "check the address"
            raise MediaError(action, f"{protocol}:// is no known protocol", fix) from error


def local_path(address: str) -> str | None:
    """The path of a local file that is given as an address, ``None`` for other addresses."""
    if "::" in address or protocols(address)[:1] not in ([name] for name in LOCAL):
        return None
    from fsspec.implementations.local import LocalFileSystem

    return str(LocalFileSystem._strip_protocol(address))


def absolute(address: str, folder: Path) -> str:
    """An address whose local parts start at ``folder`` where they are relative."""
    *inner, last = address.split("::")
    if not _PROTOCOL.match(last):
        last = str((folder / last).absolute())
    return "::".join([*inner, last])


def expand(address: str) -> list[str]:
    """The media files of an address: of a glob, a folder, or the address itself.

    As for local paths, a glob stands for files of any name if it spells their suffix out.

    Raises:
        ConfigError: Nothing matches, or the place cannot be reached.
        MissingExtra, MediaError: See :func:`require_clients`.
    """
    require_clients(address)
    from fsspec.core import url_to_fs

    action = f"read {address}"
    first, *rest = address.split("::")
    try:
        place, path = url_to_fs(address)
        if _MAGIC.search(first):
            names = place.glob(path)
            spelled = bool(suffix := PurePosixPath(first).suffix) and not _MAGIC.search(suffix)
        elif place.isdir(path):
            names, spelled = place.find(path), False
        else:
            return [address]
        names = [name for name in names if spelled or _is_media(name)]
        found = [place.unstrip_protocol(name) for name in names if not place.isdir(name)]
    except Exception as error:  # clients of stores raise what they like
        raise ConfigError(action, describe(error), "check the address and the access") from error
    if not found:
        raise ConfigError(action, "no media file matches", "check the address")
    return ["::".join([name, *rest]) for name in sorted(found)]


def describe(error: BaseException) -> str:
    """An error of a client as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class RemoteFile:
    """A file of an address, as far as :meth:`Recognizer.predict` reads file objects.

    Args:
        address: The address.

    Raises:
        MediaError: It cannot be opened.
        MissingExtra: See :func:`require_clients`.
    """

    def __init__(self, address: str) -> None:
        require_clients(address)
        import fsspec

        self.name = address
        self._opened = fsspec.open(address, "rb")
        self._file = self._call(self._opened.open)

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes."""
        return bytes(self._call(self._file.read, size))

    def __enter__(self) -> "RemoteFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _call(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:  # clients of stores raise what they like
            fix = "check the address and the access"
            raise MediaError(f"read {self.name}", describe(error), fix) from error


def _is_media(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.name.startswith(".") and path.suffix.lower() in MEDIA_SUFFIXES
