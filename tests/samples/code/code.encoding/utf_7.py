# expect: code.encoding
# coding: utf-7
print(1)  # +AAo-import os
