"""Tokens and certificates as they stand in their files, read again when those change: no restart for a new one."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import grpc

from services.runtime.errors import StartupError
from services.runtime.identity import Tokens, read_tokens
from services.runtime.logs import get_logger
from services.runtime.settings import ServiceSettings

LOOK_EVERY_S: Final = 2.0

log = get_logger(__name__)

Content = TypeVar("Content")


class WatchedFiles(Generic[Content]):
    """The content of some files, read again when they change. A change that cannot be read is logged and what was there
    before stays.
    """

    def __init__(self, what: str, paths: tuple[Path, ...], read: Callable[[], Content]) -> None:
        """Reads them at once. Raises StartupError."""
        self._what, self._paths, self._read = what, paths, read
        self._seen = self._stamp()
        self.current = read()

    def look(self) -> bool:
        """Read the files again where they have changed. Returns whether `current` is new. Blocks meanwhile."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            self.current = self._read()
        except StartupError as error:
            log.error("credentials_kept", what=self._what, complaint=str(error))
            return False
        except Exception as error:  # a file may hold anything, and none of it may end the calls that are up
            self._log_unexpected(error)
            return False
        log.info("credentials_reloaded", what=self._what)
        return True

    async def watch(self, on_change: Callable[[], None] = lambda: None) -> None:
        """Look every two seconds, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await asyncio.to_thread(self.look):
                try:
                    on_change()
                except Exception as error:  # as in `look`
                    self._log_unexpected(error)

    def _log_unexpected(self, error: Exception) -> None:
        """Log only the type of an unexpected error: its text may hold what stands in the file."""
        log.error("credentials_kept", what=self._what, complaint=f"unexpected {type(error).__name__}")

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Kubernetes replaces a mounted secret by moving a symbolic link: the inode changes with it."""
        stamps = []
        for path in self._paths:
            try:
                status = path.stat()
            except OSError:
                stamps.append((0, 0, 0))
            else:
                stamps.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(stamps)


class TokenFile(WatchedFiles[Tokens]):
    """The tokens of `auth_tokens_file`. New calls are held against the new ones; streams that are open go on."""

    def __init__(self, path: Path) -> None:
        super().__init__("tokens", (path,), lambda: read_tokens(path))


class ServerCertificate(WatchedFiles[grpc.ServerCertificateConfiguration]):
    """The certificate of the server and of those who sign clients. New handshakes use the new ones."""

    def __init__(self, settings: ServiceSettings) -> None:
        paths = (settings.tls_certificate_file, settings.tls_key_file, settings.tls_client_ca_file)
        self._has_client_ca = settings.tls_client_ca_file is not None
        super().__init__("certificate", tuple(path for path in paths if path), lambda: _read_certificate(settings))

    def credentials(self) -> grpc.ServerCredentials:
        """For the port: asks for what is current at each handshake."""
        return grpc.dynamic_ssl_server_credentials(
            self.current, lambda: self.current, require_client_authentication=self._has_client_ca
        )


def _read_certificate(settings: ServiceSettings) -> grpc.ServerCertificateConfiguration:
    assert settings.tls_certificate_file is not None  # noqa: S101 - who asks for a certificate has one
    assert settings.tls_key_file is not None  # noqa: S101 - the settings hold both or neither
    try:
        chain, key = settings.tls_certificate_file.read_bytes(), settings.tls_key_file.read_bytes()
        client_ca = settings.tls_client_ca_file.read_bytes() if settings.tls_client_ca_file else None
    except OSError as error:
        raise StartupError(f"TLS: cannot read {error.filename}: {error.strerror}") from error
    _check_pair(settings.tls_certificate_file, settings.tls_key_file)
    return grpc.ssl_server_certificate_configuration([(key, chain)], client_ca)


def _check_pair(certificate: Path, key: Path) -> None:
    """A key that belongs to another certificate would fail every handshake, in gRPC's own log lines."""
    import ssl  # noqa: PLC0415 - only where TLS is on

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise StartupError(f"TLS: {certificate} and {key} do not go together or are no PEM: {error}") from error
