# expect: security.compile
import runpy

runpy.run_path("payload.txt")
