"""Settings that somebody changes: how it looks, where things are kept, the network, keys and gestures."""
