# expect: security.socket
import http.client

http.client.socket.create_connection(("host", 80))
