"""Settings of the service: from the command line, the environment and a file."""

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from avtca.errors import ConfigError
from avtca.files import cache_folder
from avtca.serve.invalid import invalid
from avtca.worker_pool import max_workers

ENVIRONMENT = "AVTCA_SERVE_"
"""Start of the names of the environment variables."""
MIN_TOKEN = 16
"""Fewest characters of a token."""

Given = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A positive number."""
Count = Annotated[int, Field(ge=1)]


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


class Settings(BaseSettings):
    """Settings of the service, in one file or as environment variables.

    The order is: arguments, then the environment (``AVTCA_SERVE_PORT``), then the file, then the
    defaults below.
    """

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT, extra="forbid")

    model: str = Field(
        "default",
        description="Model of requests that name none: default, avt-ca, "
        "or the folder of an exported model.",
    )
    speaker_model: Path | None = Field(
        None,
        description="ONNX file of Light-ASD that finds who speaks in files; "
        "without one the packaged score does.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for a free one.")
    workers: int = Field(
        0,
        ge=0,
        description="Processes that decode and recognise, which is the "
        "number of files read at once; 0: by cores and memory.",
    )
    token_file: Path | None = Field(
        None,
        description="File with a token on each line; without "
        "one the service is open to this machine alone.",
    )
    data: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=lambda: cache_folder() / "serve",
        description="Folder of uploads and results [default: serve in the cache folder].",
    )
    keep_media: bool = Field(False, description="Keep uploads until their job expires.")
    keep_s: Given = Field(86_400, description="Seconds for which results are kept.")
    max_mb: Given = Field(2048, description="Largest upload in MB (413).")
    max_media_s: Given = Field(14_400, description="Longest recording in seconds (422).")
    max_pixels: Count = Field(2**25, description="Largest frame in pixels (422).")
    max_queue: int = Field(
        64, ge=0, description="Files that wait for a worker, of all tokens (503)."
    )
    max_jobs: Count = Field(32, description="Files of one token that wait or are read (429).")
    max_results: Count = Field(
        1000, description="Finished jobs of one token that are kept; the oldest go first."
    )
    max_read_s: Given = Field(
        7200, description="Longest time in seconds for reading one file (422)."
    )
    max_worker_mb: Count = Field(
        2048, description="Memory in MB that a worker may take beyond its models."
    )
    max_wait_s: Given = Field(
        60, description="Longest wait for a worker in seconds while a client waits (503)."
    )
    upload_idle_s: Given = Field(30, description="Longest pause of an upload in seconds (408).")
    shutdown_s: Given = Field(
        30,
        description="Seconds at the end for files that are being read; "
        "jobs that are not done by then are resumed at the next start.",
    )
    live_sessions: Count = Field(4, description="Live sessions at once.")
    live_s: Given = Field(3600, description="Longest live session in seconds.")
    live_idle_s: Given = Field(
        30, description="Seconds without a message after which a live session is closed."
    )
    live_resume_s: Given = Field(
        30, description="Seconds for which a live session waits for a new socket."
    )
    live_pixels: Count = Field(1920 * 1080, description="Largest picture of a live session.")
    live_pictures_per_s: Given = Field(30, description="Most pictures a second of a live session.")
    live_message_kb: Count = Field(1024, description="Largest message of a live session in kB.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, and the file of :func:`load_settings`."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, cls.from_file)

    from_file: ClassVar[dict[str, Any]] = {}
    """Content of the settings file."""

    @property
    def n_workers(self) -> int:
        """Number of worker processes."""
        return self.workers or max_workers()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def load_settings(config: Path | None = None, **given: Any) -> Settings:
    """Settings from a TOML file, the environment, and arguments that are not ``None``.

    Raises:
        ConfigError: The file cannot be read, or a setting is unknown or invalid.
    """
    action = f"read the settings in {config}" if config else "read the settings"
    content: dict[str, Any] = {}
    if config is not None:
        try:
            content = tomllib.loads(config.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(action, _reason(error), "correct the file (TOML)") from error

    class FromFile(Settings):
        from_file: ClassVar[dict[str, Any]] = content

    try:
        settings = FromFile(**{name: each for name, each in given.items() if each is not None})
    except ValidationError as error:
        problem, fix = invalid(error.errors()[0], "the file")
        raise ConfigError(action, problem, f"{fix} (docs/serve.md)") from error
    return settings


def _reason(error: OSError | ValueError) -> str:
    """Why a file cannot be read, without its name, which the line has already."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def read_tokens(settings: Settings) -> tuple[str, ...]:
    """The tokens of the file.

    Raises:
        ConfigError: The file cannot be read, has no token or a short one, or there is no file
            although other machines reach the address.
    """
    if settings.token_file is None:
        if settings.is_loopback:
            return ()
        raise ConfigError(
            f"listen on {settings.host}",
            "without a token everyone who reaches this address could use the service",
            "give --token FILE, a file with a token of your choice, or --host 127.0.0.1",
        )
    action = f"read the tokens in {settings.token_file}"
    try:
        lines = settings.token_file.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(action, _reason(error), "write one token on each line") from error
    tokens = tuple(line.strip() for line in lines if line.strip() and line[0] != "#")
    if not tokens:
        raise ConfigError(action, "there is none", "write one token on each line")
    if short := [each for each in tokens if len(each) < MIN_TOKEN or not each.isalnum()]:
        raise ConfigError(
            action,
            f"{len(short)} of {len(tokens)} are shorter than {MIN_TOKEN} characters or have "
            "others than letters and digits",
            "make one with: openssl rand -hex 32",
        )
    return tokens
