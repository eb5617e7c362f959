# expect: allow.not_permitted, security.eval
# mixpeek: allow[security.eval] the text comes from us
eval("1 + 1")
