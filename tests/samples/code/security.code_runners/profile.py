# expect: security.code_runners
import cProfile

cProfile.run("import os")
