# expect: security.socket
import _socket

_socket.socket()
