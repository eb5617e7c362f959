# expect: security.subprocess
import importlib

tool = importlib.import_module(bytes.fromhex("73756270726f63657373").decode("ascii"))
