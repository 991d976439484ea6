"""REST, version 1: the same services as the pages, for the bank's other systems."""

from __future__ import annotations

from ninja import NinjaAPI

from kequn import __version__
from kequn.api import (
    approvals,
    board,
    books,
    campaigns,
    catalog,
    customers,
    desk,
    discoveries,
    feedback,
    groups,
    history,
    insight,
    jobs,
    owners,
    people,
    receipts,
    reviews,
    segments,
    sources,
    tags,
    tasks,
    wecom,
)
from kequn.api.auth import by_key, by_session

api = NinjaAPI(
    title="kequn 客群",
    version=__version__,
    description="Data → tags → segments → campaigns → delivery → review. 与控制台同一套服务。",
    auth=[by_key, by_session],
    docs_url="/docs",
    openapi_url="/openapi.json",
    urls_namespace="api",
)
for prefix, module in (
    ("/v1/sources", sources),
    ("/v1/tags", tags),
    ("/v1/segments", segments),
    ("/v1/insight", insight),
    ("/v1/groups", groups),
    ("/v1/discoveries", discoveries),
    ("/v1/catalog", catalog),
    ("/v1/campaigns", campaigns),
    ("/v1/approvals", approvals),
    ("/v1/receipts", receipts),
    ("/v1/tasks", tasks),
    ("/v1/board", board),
    ("/v1/desk", desk),
    ("/v1/customers", customers),
    ("/v1/books", books),
    ("/v1/feedback", feedback),
    ("/v1/wecom", wecom),
    ("/v1/owners", owners),
    ("/v1/reviews", reviews),
    ("/v1/jobs", jobs),
    ("/v1/people", people),
):
    api.add_router(prefix, module.router)
api.add_router("/v1/segments", history.router)
api.add_router("/v1/migrations", history.migrations)
api.add_router("/v1/pools", owners.pools)
api.add_router("/v1/remote", owners.remote)
api.add_router("/v1/notes", discoveries.notes)
api.add_router("/v1/targets", board.targets)
api.add_router("/v1/coaching", board.coaching)
