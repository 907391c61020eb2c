"""What the generated choreography costs, against the same chain written as a quickstart."""
