# expect: none (the sandbox contains it)
import numpy as np

TABLE = np.ones((1 << 20, 1 << 12))
