# expect: security.eval
print.__self__.eval("1 + 1")
len.__self__.__dict__["eval"]("1 + 1")
