"""A sidecar that was taken over tries the doors of the others: python intruder.py < targets.json

It runs in the container of a sidecar, on the standard library alone. Prints one line of JSON: what
it found at each door.
"""

import json
import socket
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SECONDS = 5
HEADER = "dapr-api-token"


def main() -> None:
    targets: dict[str, Any] = json.load(sys.stdin)
    print(json.dumps({name: tried(*door) for name, door in targets.items()}))


def tried(how: str, *where: Any) -> str | int:
    if how == "http":
        return http(*where)
    return plain(*where) if how == "plain" else tls(*where)


def http(method: str, url: str) -> int:
    """The status that an answer has, with this sidecar's own token."""
    headers = {HEADER: own_token(), "content-type": "application/json"}
    body = b"{}" if method == "POST" else None
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def plain(host: str, port: int, said: str) -> str:
    """What comes back to it without TLS: nothing where the connection is closed."""
    with socket.create_connection((host, port), timeout=SECONDS) as connection:
        connection.sendall(said.encode())
        try:
            return connection.recv(64).decode(errors="replace")
        except ConnectionError:
            return ""


def tls(host: str, port: int) -> str:
    """What a server does with a client without a certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((host, port), timeout=SECONDS) as connection,
        context.wrap_socket(connection) as secured,
    ):
        try:
            # With TLS 1.3 the client learns at its first read that it was refused.
            secured.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            return f"answered {len(secured.recv(64))} bytes"
        except (ssl.SSLError, ConnectionError) as error:
            is_named = "CERTIFICATE_REQUIRED" in str(error)
            return "refused: certificate required" if is_named else f"refused: {error}"


def own_token() -> str:
    lines = Path("/run/secrets/tokens").read_text().splitlines()
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    return known["DAPR_API_TOKEN"]


if __name__ == "__main__":
    main()
