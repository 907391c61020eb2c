"""Hears how an order ends, and keeps what its customer is to be told."""
