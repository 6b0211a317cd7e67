"""The model of scripts/examples/hosts/model.lua behind Python's http.server, for scripts/bench/serve.sh.
usage: python3 serve.py SOCKET"""
import http.server, json, os, socketserver, sys
import torch

torch.set_num_threads(1)
torch.manual_seed(1)
net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)).eval()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # the connection stays open
    wbufsize = -1  # one write for head and body

    def do_POST(self):
        row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with torch.inference_mode():
            y = net(torch.tensor([row])).softmax(1)[0].tolist()
        body = json.dumps(y).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


if os.path.exists(sys.argv[1]):
    os.remove(sys.argv[1])
with Server(sys.argv[1], Handler) as server:
    print("ready", flush=True)
    server.serve_forever()
