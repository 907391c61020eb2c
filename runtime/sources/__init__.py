"""The places a runtime can come from; each raises Failure when it has none."""
