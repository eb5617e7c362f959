# expect: security.launchers
import pydoc

pydoc.pipepager("text", "sh")
