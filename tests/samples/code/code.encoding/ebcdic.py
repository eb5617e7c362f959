# expect: code.encoding
# coding=cp037
x = 1
