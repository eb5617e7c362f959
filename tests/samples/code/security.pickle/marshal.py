# expect: security.pickle
import marshal

code_object = marshal.loads(b"...")
