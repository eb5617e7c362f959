# expect: security.insides
from dataclasses import dataclass

dataclass.__globals__["sys"].modules["os"].system("id")
