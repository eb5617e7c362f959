# expect: security.frames, security.insides
import sys

secrets = sys._getframe(1).f_back.f_locals
