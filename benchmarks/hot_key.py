"""python -m benchmarks.hot_key [--rounds 5] [--orders 1000]: all orders for one SKU, or for fifty.

Exits 1 if orders for one SKU move at less than half the speed, or if any fails or is dead-lettered.
"""

import argparse
import statistics
import sys
from functools import partial

from benchmarks.rendered import alternating, measure, rendered, show

SKUS = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.hot_key", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=1000)
    arguments = parser.parse_args()
    with rendered() as workspace:
        results = alternating(
            arguments.rounds,
            {
                "one SKU": partial(measure, workspace, arguments.orders, 1),
                f"{SKUS} SKUs": partial(measure, workspace, arguments.orders, SKUS),
            },
        )
    show(results)
    one, many = results.values()
    pairs = zip(one, many, strict=True)
    ratio = statistics.median(a.orders_per_second / b.orders_per_second for a, b in pairs)
    lost = sum(each.failed + each.dead_letters for each in (*one, *many))
    return 1 if ratio < 0.5 or lost else 0


if __name__ == "__main__":
    sys.exit(main())
