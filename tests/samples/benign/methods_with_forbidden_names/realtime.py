from typing import Any


class RealtimeHandler:
    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"value": len(str(request.get("text", "")))}
