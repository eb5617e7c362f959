# expect: security.pickle
import pickle
from importlib import resources

MODEL = pickle.loads(resources.read_binary(__package__, "model.pkl"))
