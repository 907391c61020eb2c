"""Exits 0 if this container answers 2xx within eight seconds: python3 -IS probe.py PATH [PORT]

Without a port, it is that of the service. It runs every few seconds in every container, so it
imports next to nothing.
"""

import os
import socket
import sys

path = sys.argv[1]
port = int(sys.argv[2] if sys.argv[2:] else os.environ["UVICORN_PORT"])
try:
    with socket.create_connection(("127.0.0.1", port), timeout=8) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = connection.recv(64).decode(errors="replace")
except OSError as error:
    sys.exit(f"port {port}: {error}")
if " 2" not in answer[:10]:
    sys.exit(f"port {port}, {path}: {answer!r}")
