# expect: security.open
mode = "w"
open(__file__, mode)
