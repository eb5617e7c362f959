# expect: security.eval
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .parsing import eval

eval("1 + 1")
