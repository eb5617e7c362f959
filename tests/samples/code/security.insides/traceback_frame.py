# expect: security.insides
try:
    raise ValueError
except ValueError as error:
    outer = error.__traceback__.tb_frame.f_back.f_globals
