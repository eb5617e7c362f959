# expect: code.encoding
# vim: set fileencoding=unicode_escape :
# \nimport os
