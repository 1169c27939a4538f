"""The open documents: what each is, the only writer of its graph, and which of them is shown."""
