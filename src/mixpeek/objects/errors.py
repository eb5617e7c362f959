"""What can go wrong between the platform and the store of archives and blobs."""

from __future__ import annotations

from mixpeek.errors import Conflict, MixpeekError, ServiceUnavailable


class ObjectTooLarge(MixpeekError):
    """More bytes were sent than this upload may hold."""

    status, type, code = 413, "BadRequestError", "objects.too_large"


class ObjectChanged(Conflict):
    """The stored object was replaced while it was read."""

    code, hint = "objects.changed", "Send the request again"


class ObjectStoreAway(ServiceUnavailable):
    """The object store does not answer, or is not the one that was begun in."""

    code, hint = "objects.away", "Send the request again once the store that MIXPEEK_OBJECTS_URL names is back"


class ObjectStoreFull(ObjectStoreAway):
    """The object store has no room left."""

    code, hint = "objects.full", "Give the store more room, then send the request again"
