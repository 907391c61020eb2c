"""Exits 0 if the URL answers 2xx within two seconds: python3 probe.py [URL]

Without a URL: whether the service of this container lives.
"""

import os
import sys
from urllib.request import urlopen

url = sys.argv[1] if sys.argv[1:] else f"http://127.0.0.1:{os.environ['UVICORN_PORT']}/healthz"
try:
    urlopen(url, timeout=2).close()
except OSError as error:
    sys.exit(f"{url}: {error}")
