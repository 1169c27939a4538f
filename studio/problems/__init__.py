"""What is wrong with a graph or a run, what can be done about it, and how that is done."""
