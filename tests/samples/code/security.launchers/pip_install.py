# expect: security.launchers
import pip

pip.main(["install", "something"])
