"""Failures of the connection to a chat server: refused, broken, late, or with a certificate that is not trusted."""

from __future__ import annotations

import ssl

from services.runtime.breaker import ErrorClass
from services.runtime.providers import ProviderFailed


def failure_of(provider: str, error: Exception) -> ProviderFailed:
    """A connection that was refused, broke or timed out; a certificate that is not trusted."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes) or "CERTIFICATE_VERIFY_FAILED" in str(
        error
    ):
        why = next((one.verify_message for one in causes if isinstance(one, ssl.SSLCertVerificationError)), str(error))
        return ProviderFailed("ENGINE_FAILED", f"{provider}'s certificate is refused: {why}", ErrorClass.FATAL)
    what = str(error) or type(error).__name__
    return ProviderFailed("ENGINE_FAILED", f"the connection to {provider} failed: {what}", ErrorClass.TRANSIENT)
