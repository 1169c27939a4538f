"""Answers :class:`FindCached`: what of a graph is there already, as a run of it would tell it."""

from __future__ import annotations

from pipelines.engine.job import Job, Services
from pipelines.engine.protocol import CachedNodes, FindCached, Run
from pipelines.graph.document import Graph
from pipelines.graph.executor import NodeResult
from pipelines.graph.plan import plan
from pipelines.graph.survey import survey


def find_cached(request: FindCached, services: Services) -> CachedNodes:
    """The nodes of a graph, all targets', whose results are in the cache, with thumbnails of their pictures.

    Raises:
        GraphUnreadable, GraphFromTheFuture: there is no graph.
    """
    job = Job(Run(job=request.request, graph=request.graph, base=request.base), services)
    job.graph = Graph.loads(request.graph, "The graph")
    planned = plan(job.graph, services.registry)
    found = survey(planned, services.cache, job, job.salt)
    results = {
        node: NodeResult("cached", entry.seconds, entry.outputs, shown=entry.shown)
        for node, entry in found.items()
    }
    nodes = tuple(job.finished(node, result) for node, result in results.items())
    return CachedNodes(request=request.request, nodes=nodes)
