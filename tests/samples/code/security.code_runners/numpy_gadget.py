# expect: security.code_runners
from numpy.testing import runstring

runstring("import os", {})
