# expect: security.os_system
import os

tool = os
tool = tool.system
tool("id")
