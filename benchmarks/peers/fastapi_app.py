"""FastAPI on uvicorn with uvloop and httptools, one process, no access log: the bare framework, nothing around it.

A coroutine for the trivial handler (a function would cost each request a thread), a thread for the model.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from handlers import load_handler

app = FastAPI()
port, name = int(sys.argv[1]), sys.argv[2]
handler = load_handler(name)

if name == "trivial":

    @app.post("/predict")
    async def predict(request: dict[str, Any]) -> dict[str, Any]:
        return handler.predict(request)
else:

    @app.post("/predict")
    def predict_in_thread(request: dict[str, Any]) -> dict[str, Any]:
        return handler.predict(request)


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


if __name__ == "__main__":
    quiet = {"access_log": False, "log_level": "warning"}
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", **quiet)
