# expect: security.os_system
import pandas as pd

pd.io.common.os.system("id")
