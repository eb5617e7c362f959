"""What can be wrong with content that is sent, fetched or uploaded into a bucket."""

from __future__ import annotations

from mixpeek.errors import InvalidRequest, RequestError


class ContentInvalid(InvalidRequest):
    """The content of a blob cannot be read as what it says it is."""

    code = "catalog.content_invalid"


class SourceRefused(InvalidRequest):
    """This server does not fetch content from that address."""

    code = "catalog.source_refused"
    hint = "Upload the file (POST …/uploads), or have the operator name its host in MIXPEEK_SOURCE_HOSTS"


class SourceUnavailable(RequestError):
    """The content could not be fetched from its address."""

    code = "catalog.source_unavailable"
    hint = "Check the address, or upload the file (POST …/uploads)"


class ContentTooLarge(RequestError):
    """The content is larger than one blob may be."""

    status, code = 413, "catalog.content_too_large"


class UploadNotReady(RequestError):
    """Nothing, or something else than announced, was uploaded."""

    code = "catalog.upload_not_ready"
    hint = "PUT the file to the upload's `presigned_url`, then confirm"


class BucketUploadExpired(RequestError):
    """The upload was not confirmed in time."""

    code = "catalog.upload_expired"
    hint = "Request a new upload"
