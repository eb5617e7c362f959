# expect: security.exec
[run("x = 1") for run in [exec]]
