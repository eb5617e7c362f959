# expect: security.launchers, security.network
from imaplib import IMAP4_stream

IMAP4_stream("id")
