"""Uploads: a multipart field or a raw body, written to the spool while it arrives."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from avtca.media.find import MEDIA_SUFFIXES
from avtca.serve.problems import Problem
from avtca.serve.settings import Settings
from avtca.text import printable

FIELD = "file"
"""Name of the multipart field."""
MAX_NAME = 255


@dataclass(frozen=True)
class Upload:
    """A file of the spool: its random path, the name for reports, and its size."""

    path: Path
    name: str
    size: int

    def delete(self) -> None:
        """Delete the file, if it is still there."""
        self.path.unlink(missing_ok=True)


async def receive_upload(request: Request, spool: Path, settings: Settings) -> Upload:
    """Write the upload of a request to a file of a random name.

    Raises:
        Problem: It is too large, damaged or empty, or the client paused for too long.
        ClientDisconnect: The client is gone.
    """
    content_type, options = parse_options_header(request.headers.get("content-type"))
    writer: _Writer
    if content_type == b"multipart/form-data":
        writer = _Multipart(spool, settings.max_mb, options.get(b"boundary", b""))
    else:
        writer = _Raw(spool, settings.max_mb, request.query_params.get("name", ""))
    size = request.headers.get("content-length", "")
    try:
        if size.isdecimal() and int(size) > settings.max_mb * 1e6 + 65_536:
            raise too_large(settings.max_mb)
        blocks = request.stream().__aiter__()
        while True:
            try:
                block = await asyncio.wait_for(anext(blocks), settings.upload_idle_s)
            except StopAsyncIteration:
                break
            except TimeoutError:
                text = f"receive the upload: nothing came for {settings.upload_idle_s:g} s"
                raise Problem(408, f"{text}; send it again") from None
            if len(block) > 0:
                await asyncio.to_thread(writer.write, block)
        return writer.close()
    except BaseException:
        writer.delete()
        raise


def too_large(max_mb: float) -> Problem:
    """The problem of an upload over the limit."""
    text = f"receive the upload: it is larger than {max_mb:g} MB"
    return Problem(413, f"{text}; send a smaller file, or a part of it")


def shown_name(name: str) -> str:
    """The last part of a name from a client, for reports; never a path."""
    last = name.replace("\\", "/").rpartition("/")[2].strip()
    return printable(last)[:MAX_NAME] or "upload"


class _Writer:
    """Writes an upload to a file."""

    def __init__(self, spool: Path, max_mb: float) -> None:
        self.spool, self.max_mb = spool, max_mb
        self.name, self.size = "", 0
        self.path: Path | None = None
        self._file: BinaryIO | None = None

    def write(self, block: bytes) -> None:
        """Take a block of the body."""
        raise NotImplementedError

    def close(self) -> Upload:
        """The file, once the body is complete."""
        if self._file is None or self.path is None:
            text = f"read the request: there is no file; send it as the multipart field {FIELD}"
            raise Problem(422, f"{text}, or as the body")
        self._file.close()
        return Upload(self.path, self.name, self.size)

    def delete(self) -> None:
        """Delete what was written."""
        if self._file is not None and self.path is not None:
            with suppress(OSError):  # closing writes the last block: the disk may be full
                self._file.close()
            self.path.unlink(missing_ok=True)

    def open(self, name: str) -> None:
        """Open the file. It has a suffix that FFmpeg reads, and a random name."""
        self.name = shown_name(name)
        suffix = Path(self.name).suffix.lower()
        path = self.spool / (uuid.uuid4().hex + (suffix if suffix in MEDIA_SUFFIXES else ""))
        self.path, self._file = path, path.open("xb")

    def append(self, data: bytes | memoryview) -> None:
        """Write data of the file."""
        assert self._file is not None
        self.size += len(data)
        if self.size > self.max_mb * 1e6:
            raise too_large(self.max_mb)
        self._file.write(data)


class _Raw(_Writer):
    def __init__(self, spool: Path, max_mb: float, name: str) -> None:
        super().__init__(spool, max_mb)
        self._given = name

    def write(self, block: bytes) -> None:
        if self._file is None:
            self.open(self._given)
        self.append(block)

    def close(self) -> Upload:
        if self._file is None and self._given:
            text = f"read {shown_name(self._given)}: the file is empty; export or copy it again"
            raise Problem(422, text)
        return super().close()


class _Multipart(_Writer):
    """The file of the field :data:`FIELD`; a form with anything else is refused at its end."""

    def __init__(self, spool: Path, max_mb: float, boundary: bytes) -> None:
        super().__init__(spool, max_mb)
        self._header: list[bytes] = []
        self._value: list[bytes] = []
        self._disposition = b""
        self._wanted = self._complete = False
        self._unwanted: str | None = None
        try:
            self._parser = MultipartParser(boundary, self._callbacks())
        except (MultipartParseError, ValueError) as error:
            raise _damaged(error) from None

    def write(self, block: bytes) -> None:
        try:
            self._parser.write(block)
        except MultipartParseError as error:
            raise _damaged(error) from None

    def close(self) -> Upload:
        if not self._complete:
            raise _damaged("its end is missing")
        if self._file is not None and self._unwanted is not None:
            raise Problem(422, f"read the request: {self._unwanted}")
        return super().close()

    def _callbacks(self) -> Any:
        def add(parts: list[bytes]) -> Callable[[bytes, int, int], None]:
            return lambda data, start, end: parts.append(data[start:end])

        def header_end() -> None:
            if b"".join(self._header).lower() == b"content-disposition":
                self._disposition = b"".join(self._value)
            self._header.clear()
            self._value.clear()

        def headers_finished() -> None:
            _, options = parse_options_header(self._disposition)
            name = options.get(b"name", b"").decode(errors="replace")
            self._wanted = name == FIELD and self._file is None
            if self._wanted:
                self.open(options.get(b"filename", b"").decode(errors="replace"))
            elif name == FIELD:
                self._unwanted = "there are several files; send one request for each"
            else:
                self._unwanted = (
                    f"the form has a field {shown_name(name)}, and only {FIELD} is read; give "
                    "options in the address, as ?person=all"
                )

        def part_begin() -> None:
            self._disposition, self._wanted = b"", False

        def part_data(data: bytes, start: int, end: int) -> None:
            if self._wanted:
                self.append(memoryview(data)[start:end])

        def end() -> None:
            self._complete = True

        return {
            "on_part_begin": part_begin,
            "on_header_field": add(self._header),
            "on_header_value": add(self._value),
            "on_header_end": header_end,
            "on_headers_finished": headers_finished,
            "on_part_data": part_data,
            "on_end": end,
        }


def _damaged(why: object) -> Problem:
    return Problem(400, f"read the multipart body: it is damaged ({why}); send it again")
