# expect: security.setattr
object.__setattr__(frozen, "dim", 3)
