# expect: security.dunder_import, security.os_system
from typing import Optional

from pydantic import BaseModel


class Parameters(BaseModel):
    name: Optional["__import__('os').system('id')"] = None
