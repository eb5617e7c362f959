# expect: security.os_system
import os


class Config:
    threshold: os.system("id") = 0.5
