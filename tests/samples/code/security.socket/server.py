# expect: security.socket
from socketserver import TCPServer, BaseRequestHandler

TCPServer(("", 8000), BaseRequestHandler)
