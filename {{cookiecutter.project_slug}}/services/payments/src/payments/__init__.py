"""Payments: captures and refunds money on cards."""
