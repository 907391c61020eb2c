"""python watch.py URL: asks again and again until its input ends, then prints the longest time.

A process of its own: whoever makes the load has no time to look at a clock.
"""

import select
import sys
import time
import urllib.request

PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 30


def main(url: str) -> None:
    slowest = 0.0
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        began = time.monotonic()
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS):
                pass
        except OSError as error:
            print(f"{url}: {error}", file=sys.stderr)
            slowest = float("inf")
        slowest = max(slowest, time.monotonic() - began)
    print(slowest)


if __name__ == "__main__":
    main(sys.argv[1])
