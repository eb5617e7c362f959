# expect: security.insides
for kind in ().__class__.__base__.__subclasses__():
    if kind.__name__ == "Popen":
        kind(["id"])
