"""Become a part of Dapr, with the secrets of /run/secrets: python3 start.py /daprd --app-id ...

Dapr takes its tokens, the components their passwords, and a sidecar the authority that it trusts,
from the environment alone. Each secret holds lines of NAME=value.
"""

import os
import sys
from pathlib import Path

SECRETS = Path("/run/secrets")
ANCHORS = Path("/etc/dapr/trust-anchors")

for secret in sorted(SECRETS.glob("*")):
    for number, line in enumerate(secret.read_text().splitlines(), 1):
        name, is_assignment, value = line.partition("=")
        if line.strip() and not line.startswith("#"):
            if not is_assignment:
                sys.exit(f"{secret}:{number} is not NAME=value")
            os.environ.setdefault(name, value)
if ANCHORS.exists():
    os.environ["DAPR_TRUST_ANCHORS"] = ANCHORS.read_text()
os.execv(sys.argv[1], sys.argv[1:])
