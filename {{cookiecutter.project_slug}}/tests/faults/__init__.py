"""The faults of the testkit while orders flow: all must add up afterwards."""
