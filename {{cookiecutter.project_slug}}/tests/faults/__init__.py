"""Faults on the real system: each is made while orders flow, and all must add up afterwards."""
