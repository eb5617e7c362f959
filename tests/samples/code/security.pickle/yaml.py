# expect: security.pickle
import yaml

config = yaml.load("a: 1", Loader=yaml.FullLoader)
other = yaml.unsafe_load("a: 1")
