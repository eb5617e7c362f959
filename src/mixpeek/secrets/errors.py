"""What can go wrong between a secret and who may read it; no message ever holds a value or a key."""

from __future__ import annotations

from mixpeek.errors import AccessError, PlatformError


class SecretNotGranted(AccessError):
    """This secret is not granted to the namespace that asks for it."""

    code = "secrets.not_granted"


class SecretsKeyMissing(PlatformError):
    """Secrets are stored, and the key they are encrypted with is gone."""

    code = "secrets.key_missing"
    hint = "Put the server's `secrets.key` back into the data dir, or set MIXPEEK_SECRETS_KEY; no new key is made"


class SecretsKeyWrong(PlatformError):
    """A secret is encrypted with a key that this server was not given."""

    code = "secrets.key_wrong"
    hint = "Add the key it was encrypted with behind the first one, in MIXPEEK_SECRETS_KEY or in `secrets.key`"


class SecretsKeyInvalid(PlatformError):
    """What was given as the key of the secrets is no such key."""

    code = "secrets.key_invalid"
    hint = "A key is 32 bytes in URL-safe base64: `openssl rand -base64 32 | tr '+/' '-_'`; commas separate several"


class SecretDamaged(PlatformError):
    """A stored secret is not what was stored under its name."""

    code = "secrets.damaged"
    hint = "Set its value again with `mixpeek secret update`"
