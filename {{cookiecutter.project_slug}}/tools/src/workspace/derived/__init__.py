"""Files that follow from dapr.yaml and the code: made by one command, and never edited."""
