"""Secrets for a trial of the stack in containers: `python -m deploy.trial_secrets /secrets`.

Makes what deploy/compose.tls.yaml asks for, in a folder for each service: an authority, certificates for 127.0.0.1 and
for the services' names, tokens and the table of their hashes, and the passwords of Asterisk's accounts. What is there
and whole is left as it is until a day before it ends; a folder that lacks a file is refused with a line that names it.
In production the files come from your own authority.
"""

import argparse
import errno
import secrets
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.runtime.identity import digest_of

DAYS = 30
RENEWED_S = 86400
"""Time before the end of certificates at which they, and the tokens made with them, are renewed."""
STAGES = ("stt_proxy", "nlu", "tts")
FILES = {
    **dict.fromkeys(STAGES, ("tls.crt", "tls.key", "tokens.toml")),
    "call_gateway": ("tls.crt", "tls.key", "tokens.toml", "ca.crt", "stage-token", "ari-password"),
    "asterisk": ("ari-password", "reception-password"),
    "caller": ("ca.crt", "token"),
}
"""The files of each service's complete folder."""


class SecretsIncomplete(Exception):
    """Some files of a folder are there and others are not. The message says which, and what to do."""


def is_whole(root: Path) -> bool:
    """Return whether every file is there; False: none is. Raises SecretsIncomplete in between."""
    missing = [
        f"{name}/{file}" for name, files in FILES.items() for file in files if not (root / name / file).is_file()
    ]
    n_files = sum(map(len, FILES.values()))
    if missing and len(missing) < n_files:
        raise SecretsIncomplete(
            f"secrets are missing: {', '.join(missing)}: put them there, or remove all of them, and new ones are made "
            "(`make compose-down VOLUMES=1`, then `make compose-up`)"
        )
    return not missing


def are_ending(root: Path) -> bool:
    """Return whether a certificate ends within RENEWED_S seconds, or has ended, or cannot be read."""
    for name in (*STAGES, "call_gateway"):
        command = ["openssl", "x509", "-noout", "-checkend", str(RENEWED_S), "-in", str(root / name / "tls.crt")]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:  # noqa: S603 (a fixed command)
            return True
    return False


def make_secrets(root: Path) -> None:
    """Write every file of FILES under `root`. Raises subprocess.CalledProcessError when openssl fails.

    The certificates are written last: where this ends before its end, `are_ending` still finds an old one, and all are
    made again.
    """
    certificates = {}
    stage_token, caller_token, ari_password, reception_password = (secrets.token_urlsafe(32) for _ in range(4))
    with tempfile.TemporaryDirectory() as scratch:
        authority = Path(scratch)
        _openssl(
            *("req", "-x509", "-nodes", "-days", str(DAYS), "-subj", "/CN=tong-dai trial"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *("-keyout", str(authority / "ca.key"), "-out", str(authority / "ca.crt")),
        )
        for name in (*STAGES, "call_gateway"):
            certificates[name] = _issue(name, authority, root / name)
            token, scopes = (
                (stage_token, '"connect"') if name in STAGES else (caller_token, '"connect", "watch", "end"')
            )
            _write(root / name / "tokens.toml", _table(token, scopes))
        for name in ("call_gateway", "caller"):
            _write(root / name / "ca.crt", (authority / "ca.crt").read_text(encoding="ascii"))
    _write(root / "call_gateway" / "stage-token", f"{stage_token}\n")
    _write(root / "caller" / "token", f"{caller_token}\n")
    for name in ("asterisk", "call_gateway"):
        _write(root / name / "ari-password", f"{ari_password}\n")
    _write(root / "asterisk" / "reception-password", f"{reception_password}\n")
    for name, certificate in certificates.items():
        _write(root / name / "tls.crt", certificate)


def _issue(name: str, authority: Path, folder: Path) -> str:
    """Return a certificate for the service, by loopback's address and its names in Compose and Kubernetes.

    Its key is written into `folder`.
    """
    host = name.replace("_", "-")
    names = f"DNS:{host},DNS:{name},DNS:localhost,IP:127.0.0.1"
    request, extensions = authority / f"{name}.csr", authority / f"{name}.ext"
    key = authority / f"{name}.key"
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n", encoding="ascii")
    _openssl(
        *("req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={host}"),
        *("-keyout", str(key), "-out", str(request)),
    )
    certificate = authority / f"{name}.crt"
    _openssl(
        *("x509", "-req", "-days", str(DAYS), "-in", str(request), "-out", str(certificate)),
        *("-CA", str(authority / "ca.crt"), "-CAkey", str(authority / "ca.key"), "-CAcreateserial"),
        *("-extfile", str(extensions)),
    )
    _write(folder / "tls.key", key.read_text(encoding="ascii"))
    return certificate.read_text(encoding="ascii")


def _table(token: str, scopes: str) -> str:
    expires = (datetime.now(UTC) + timedelta(days=DAYS)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'[[tokens]]\nname = "trial"\nsha256 = "{digest_of(token).hex()}"\ntenants = ["*"]\n'
        f"scopes = [{scopes}]\nexpires = {expires}\n"
    )


def _write(place: Path, text: str) -> None:
    """Put a file in its place by one rename, for its owner alone to read."""
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}.new")
    fresh.unlink(missing_ok=True)  # one that was left behind cannot be written to
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="ascii")
    fresh.chmod(0o400)
    fresh.rename(place)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True)  # noqa: S603, S607 (fixed commands)


def _remedy(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return ": free some room on that disk; in containers `docker builder prune` frees the cache of builds"
    return ": the folders must belong to user 10001" if isinstance(error, PermissionError) else ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.trial_secrets", description="Make the secrets of a trial.")
    parser.add_argument("folder", type=Path, help="where the services' folders lie")
    root: Path = parser.parse_args().folder
    try:
        is_there = is_whole(root)
        if is_there and not are_ending(root):
            print(f"the secrets in {root} are whole and left as they are")
            return 0
        make_secrets(root)
    except SecretsIncomplete as error:
        print(error, file=sys.stderr)
        return 1
    except FileNotFoundError:
        print("openssl is missing: apt-get install openssl", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"openssl failed: {error.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"the secrets cannot be written: {error}{_remedy(error)}", file=sys.stderr)
        return 1
    how = "renewed" if is_there else "made"
    print(f"{how}: an authority, certificates, tokens and passwords in {root}, valid for {DAYS} days")
    return 0


if __name__ == "__main__":
    sys.exit(main())
