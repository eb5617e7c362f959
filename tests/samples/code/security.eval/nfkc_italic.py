# expect: security.eval
import builtins

builtins.𝘦𝘷𝘢𝘭("1 + 1")
