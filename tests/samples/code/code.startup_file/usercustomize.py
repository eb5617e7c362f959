# expect: code.startup_file
print("started")
