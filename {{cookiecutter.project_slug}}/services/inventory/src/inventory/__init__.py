"""Inventory: keeps stock, and reserves it for orders."""
