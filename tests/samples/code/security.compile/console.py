# expect: security.compile
import code

code.InteractiveConsole().push("import os")
