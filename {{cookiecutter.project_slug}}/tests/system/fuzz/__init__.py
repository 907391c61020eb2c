"""Hostile bodies and messages, made from what a service takes, and the service that gets them."""
