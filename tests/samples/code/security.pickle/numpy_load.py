# expect: security.pickle
import numpy as np

table = np.load("table.npy", allow_pickle=True)
