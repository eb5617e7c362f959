# expect: security.launchers
import antigravity
