# expect: security.os_system
import json
import os

(os if json else json).system("id")
(None or os).popen("id")
