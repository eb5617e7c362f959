# expect: security.os_system
import os

os.__dict__["system"]("id")
vars(os).get("popen")("id")
