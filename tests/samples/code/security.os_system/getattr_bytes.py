# expect: security.os_system
import os

getattr(os, b"system".decode())("id")
getattr(os, bytes([115, 121, 115, 116, 101, 109]).decode())("id")
