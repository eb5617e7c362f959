# expect: code.syntax
exec "import os"
