# expect: security.multiprocessing
from multiprocessing import Pool


def encode_all(texts, encode):
    with Pool(64) as pool:
        return pool.map(encode, texts)
