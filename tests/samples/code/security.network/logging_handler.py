# expect: security.network
import logging.handlers

logging.getLogger().addHandler(logging.handlers.SocketHandler("10.0.0.1", 4444))
