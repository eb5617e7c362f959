# expect: security.os_system
import os

getattr(os, "{}{}".format("po", "pen"))("id")
