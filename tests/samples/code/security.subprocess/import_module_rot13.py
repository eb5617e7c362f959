# expect: security.subprocess
import codecs
import importlib as lib

tool = lib.import_module(codecs.decode("fhocebprff", "rot13"))
tool.call("id")
