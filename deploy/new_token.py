"""Make a bearer token: `python -m deploy.new_token --name desk --tenants clinic --scopes watch,end --days 90`.

Prints the token once, on stderr, for whoever will use it, and on stdout the table for the file that
TONG_DAI_AUTH_TOKENS_FILE names, which holds the token's hash only. Services read the file again when it changes.
"""

import argparse
import json
import secrets
import sys
from datetime import UTC, datetime, timedelta

from services.runtime.identity import Scope, digest_of

TOKEN_BYTES = 32


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.new_token", description="Make a bearer token.")
    parser.add_argument("--name", required=True, help="whose it is; the log of who watched or ended a call says it")
    parser.add_argument("--tenants", default="*", help='tenant ids by comma; "*" is any')
    parser.add_argument("--scopes", default="connect", help=f"by comma: {', '.join(scope.value for scope in Scope)}")
    parser.add_argument("--days", type=int, default=90, help="days until it expires")
    asked = parser.parse_args()
    scopes = [part.strip() for part in asked.scopes.split(",") if part.strip()]
    if unknown := [scope for scope in scopes if scope not in {each.value for each in Scope}]:
        parser.error(f"no such scope: {', '.join(unknown)}")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    tenants = [part.strip() for part in asked.tenants.split(",") if part.strip()]
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=asked.days)
    print(f"{token}", file=sys.stderr)
    print("[[tokens]]")
    print(f"name = {json.dumps(asked.name)}")
    print(f'sha256 = "{digest_of(token).hex()}"')
    print(f"tenants = {json.dumps(tenants)}")
    print(f"scopes = {json.dumps(scopes)}")
    print(f"expires = {expires.isoformat().replace('+00:00', 'Z')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
