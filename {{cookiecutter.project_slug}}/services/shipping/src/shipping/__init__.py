"""Shipping: hands orders to a carrier."""
