# expect: security.exec
from pydantic import BaseModel


class Parameters(BaseModel):
    threshold: "exec('import os')" = 0.5
