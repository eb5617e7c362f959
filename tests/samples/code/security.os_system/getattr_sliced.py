# expect: security.os_system
import os

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
name = ALPHABET[18] + ALPHABET[24] + ALPHABET[18] + ALPHABET[19] + ALPHABET[4] + ALPHABET[12]
getattr(os, name)("id")
