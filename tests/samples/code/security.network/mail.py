# expect: security.network
import smtplib

smtplib.SMTP("mail").sendmail("a", "b", "secret")
