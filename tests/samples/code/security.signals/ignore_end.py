# expect: security.signals
import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
