"""Settings from the environment: each `RAPPORT_*` variable, what it means, and a clear refusal of anything else."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta, Struct

MEANING = {
    "RAPPORT_DATA": "the folder of the embedded servers' files, and of logs, passwords and keys; default .rapport",
    "RAPPORT_HOST": "the address the API listens on; default 127.0.0.1",
    "RAPPORT_PORT": "the TCP port the API listens on, 1 to 65535; default 8000",
    "RAPPORT_METRICS_PORT": "the TCP port at which a worker shows its metrics on RAPPORT_HOST; default none",
    "RAPPORT_LOG_LEVEL": "the least serious message that is logged: debug, info, warning or error; default info",
    "RAPPORT_DATABASE_URL": "your own PostgreSQL 18 (postgresql://...), as the role the application runs as",
    "RAPPORT_WRITER_DATABASE_URL": "the same database as the role that appends for all; default: as rapport_writer",
    "RAPPORT_ADMIN_DATABASE_URL": "the same database as the role that migrates it; default RAPPORT_DATABASE_URL",
    "RAPPORT_REDIS_URL": "your own Valkey or Redis (redis://...)",
    "RAPPORT_PUBLIC_URL": "where others reach the API (https://...), webhooks and guests; default its own address",
    "RAPPORT_WEBHOOKS_ALLOW_LOOPBACK": "1: webhooks may go to this machine too, by http and on any port; default 0",
    "RAPPORT_IMPORT_LIMIT_MB": "how large a file an import takes, in MB, 1 to 8192; default 500",
    "RAPPORT_MASTER_KEY": "32 bytes in base64 that wrap the keys of the tenants; without it personal data is lost",
}

ImportLimit = Annotated[int, Meta(ge=1, le=8192)]
Port = Annotated[int, Meta(ge=1, le=65535)]
PostgresUrl = Annotated[str, Meta(pattern="^postgres(ql)?://")]
HttpUrl = Annotated[str, Meta(pattern="^https?://[^/?# ]+(/[^?# ]*)?$")]
RedisUrl = Annotated[str, Meta(pattern="^(redis|rediss|unix)://")]
MasterKey = Annotated[bytes, Meta(min_length=32, max_length=32)]
LogLevel = Literal["debug", "info", "warning", "error"]


class SettingsError(Exception):
    """A setting is missing, unknown or malformed. The text names the variable as it was typed."""


def variable(field: str) -> str:
    return f"RAPPORT_{field.upper()}"


class Typed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=variable):
    """What a person set. Who names neither server leaves both to Rapport (`infra/embedded.py`)."""

    data: Path = msgspec.field(default_factory=lambda: Path(".rapport").resolve())
    host: str = "127.0.0.1"
    port: Port = 8000
    metrics_port: Port | None = None
    log_level: LogLevel = "info"
    import_limit_mb: ImportLimit = 500
    database_url: PostgresUrl | None = None
    writer_database_url: PostgresUrl | None = None
    admin_database_url: PostgresUrl | None = None
    redis_url: RedisUrl | None = None
    master_key: MasterKey | None = None
    public_url: HttpUrl | None = None
    webhooks_allow_loopback: bool = False

    @property
    def public_address(self) -> str:
        """Where the API is found from elsewhere, without a slash at its end."""
        return (self.public_url or self.address).rstrip("/")

    @property
    def address(self) -> str:
        """Where the API is found from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(data={str(self.data)!r}, host={self.host!r}, port={self.port})"


class Settings(Typed, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=variable):
    """Complete: both servers and the key are known. Its repr shows no secret."""

    database_url: PostgresUrl
    redis_url: RedisUrl
    master_key: MasterKey

    @property
    def writer_url(self) -> str:
        """Where the writer appends for all tenants: by the name of its role where nothing else was said."""
        return self.writer_database_url or as_writer(self.database_url)

    @property
    def admin_url(self) -> str:
        """Where migrations run: the application's own role where no other was named."""
        return self.admin_database_url or self.database_url


T = TypeVar("T", bound=Typed)


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Complete settings, from an environment that names the servers, as `rapport up` gives it to its processes."""
    return read(environ, Settings)


def typed(environ: Mapping[str, str] = os.environ) -> Typed:
    """What was set so far. Raises SettingsError also when only one of the two servers was named."""
    found = read(environ, Typed)
    named = [name for name in ("RAPPORT_DATABASE_URL", "RAPPORT_REDIS_URL") if environ.get(name)]
    if len(named) == 1 or ((found.admin_database_url or found.writer_database_url) and not named):
        raise SettingsError(
            "Your own servers are named in part: set RAPPORT_DATABASE_URL and RAPPORT_REDIS_URL, or neither of them "
            "(nor RAPPORT_WRITER_DATABASE_URL, RAPPORT_ADMIN_DATABASE_URL) and Rapport runs its own."
        )
    return found


def as_writer(database_url: str) -> str:
    """The url of the application's role with the writer's name in it, and the same password; any other url as it is."""
    parts = urlsplit(database_url)
    who, at, host = parts.netloc.rpartition("@")
    name, colon, password = who.partition(":")
    if name != "rapport_app":
        return database_url
    return urlunsplit(parts._replace(netloc=f"rapport_writer{colon}{password}{at}{host}"))


def read(environ: Mapping[str, str], shape: type[T]) -> T:
    values = {name: value for name, value in environ.items() if is_ours(name) and value}
    try:
        return msgspec.convert(values, shape, strict=False, dec_hook=lambda _, text: Path(text).expanduser().resolve())
    except msgspec.ValidationError as error:
        raise SettingsError(refusal(str(error))) from None


def is_ours(name: str) -> bool:
    return name.startswith("RAPPORT_") and not name.startswith("RAPPORT_TEST_")


def refusal(error: str) -> str:
    """msgspec's message as a sentence about the variable."""
    reason, _, _ = error.partition(" - at ")
    found = re.search("RAPPORT_[^`]*", error)
    name = found.group() if found else ""
    if name not in MEANING:
        near = get_close_matches(name.upper(), MEANING, n=1, cutoff=0.8)
        return f"{name} is not a setting.{f' Did you mean {near[0]}?' if near else ''} See docs/settings.md."
    if "missing" in reason:
        return f"{name} is missing. It is {MEANING[name]}."
    return f"{name} cannot be used: {reason}. It is {MEANING[name]}."


def environment(settings: Settings) -> dict[str, str]:
    """The variables from which another process loads the same settings."""
    values: dict[str, object] = msgspec.to_builtins(settings, enc_hook=str)
    return {name: str(value) for name, value in values.items() if value is not None}
