"""The parts that a laptop lacks: broker, placement, scheduler, and `dapr run -f .` around them."""
