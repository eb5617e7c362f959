# expect: security.pickle
import pandas as pd

frame = pd.read_pickle("frame.pkl")
