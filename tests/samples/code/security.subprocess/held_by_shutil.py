# expect: security.subprocess
import platform
import webbrowser_helper
import shutil


def run(command):
    return platform.subprocess.run(command, check=False)
