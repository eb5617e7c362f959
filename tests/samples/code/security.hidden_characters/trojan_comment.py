# expect: security.hidden_characters
LEVEL = "user"
if LEVEL != "user‮ ⁦# only for admins⁩ ⁦":
    print("admin")
