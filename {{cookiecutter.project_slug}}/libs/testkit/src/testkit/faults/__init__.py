"""Faults on the real system: each is made while processes run, and all must add up afterwards."""
