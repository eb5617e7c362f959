# expect: security.os_system
import os

getattr(os, "sXsteX".replace("X", "y", 1).replace("X", "m"))("id")
