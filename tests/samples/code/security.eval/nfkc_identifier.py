# expect: security.eval
result = ｅｖａｌ("__import__('os').system('id')")
