# expect: security.eval, security.insides
import json

json.decoder.__builtins__["eval"]("1 + 1")
