# expect: security.loaders
import importlib.util

spec = importlib.util.spec_from_file_location("native", "data.bin")
