# expect: security.multiprocessing
import concurrent.futures as futures

futures.ProcessPoolExecutor().submit(print)
