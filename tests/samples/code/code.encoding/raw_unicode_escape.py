# expect: code.encoding
# -*- coding: raw_unicode_escape -*-
# \u000aimport os
