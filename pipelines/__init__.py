"""Everything that computes: the graph, its nodes, models, and the engine that runs them. No Qt, ever."""
