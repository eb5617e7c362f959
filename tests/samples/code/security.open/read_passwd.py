# expect: security.open
with open("/etc/passwd") as file:
    USERS = file.read()
