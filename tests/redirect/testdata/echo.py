# Sends back the bodies of requests when it has them whole (nginx does not go on sending
# a body that is being answered), from blocking sockets, a thread for each connection.
import http.server, sys

class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def do_POST(self):
        n = int(self.headers["Content-Length"])
        body = bytearray()
        while len(body) < n:
            b = self.rfile.read1(min(n - len(body), 1 << 16))
            if not b:
                return
            body += b
        self.send_response(200)
        self.send_header("Content-Length", str(n))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
