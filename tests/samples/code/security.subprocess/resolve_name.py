# expect: security.subprocess
import pkgutil

run = pkgutil.resolve_name("subprocess:run")
run(["id"])
