# expect: security.code_runners
import timeit

timeit.timeit("import os; os.system('id')", number=1)
