# expect: security.code_runners
from pdb import run

run("import os")
