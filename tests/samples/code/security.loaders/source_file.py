# expect: security.loaders
from importlib.machinery import SourceFileLoader

module = SourceFileLoader("data", "payload.txt").load_module()
