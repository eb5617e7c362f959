"""What can go wrong between the platform and a Qdrant cluster."""

from __future__ import annotations

from mixpeek.errors import PlatformError, RequestError, ServiceUnavailable


class VectorStoreAway(ServiceUnavailable):
    """The store of vectors does not answer."""

    code = "documents.vectors_away"
    hint = "Send the request again once the cluster that MIXPEEK_DOCUMENTS_URL names is back"


class VectorStoreRefused(PlatformError):
    """The store of vectors refuses what the platform asks of it."""

    code = "documents.vectors_refused"
    hint = "Check MIXPEEK_DOCUMENTS_URL, MIXPEEK_DOCUMENTS_API_KEY and the cluster's log"


class MetricNotStored(RequestError):
    """The vectors were stored for another metric, and this store compares by one only."""

    code, hint = "documents.metric_not_stored", "Search by the metric that the feature declares"


class SearchTooDeep(RequestError):
    """Too many of the nearest vectors are equal, or were replaced a moment ago, to tell which come first."""

    code, hint = "documents.search_too_deep", "Filter the search, or send it again in a minute"


class FilterTooWide(RequestError):
    """The filter lets very many documents pass, and hardly any of those that are near."""

    code, hint = "documents.filter_too_wide", "Filter by something more selective beside it"
