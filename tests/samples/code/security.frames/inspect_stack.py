# expect: security.frames
from inspect import stack

outer = stack()[-1].frame
