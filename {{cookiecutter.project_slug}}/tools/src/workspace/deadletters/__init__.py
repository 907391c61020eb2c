"""What no service could handle: listed, looked at, replayed or discarded."""
