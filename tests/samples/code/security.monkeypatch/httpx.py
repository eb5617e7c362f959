# expect: security.monkeypatch
import httpx


def record(*args, **options):
    return None


httpx.get = record
