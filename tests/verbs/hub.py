"""A hub of models on this machine, with as much of its protocol as huggingface_hub uses."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "a" * 40


def serve(name, folder):
    """A server of one model, whose address is to be ``HF_ENDPOINT``; ``asked`` has the paths that were asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(body=True)

        def do_HEAD(self):
            self.answer(body=False)

        def answer(self, *, body):
            asked.append(self.path)
            path = self.path.partition("?")[0]
            if path.startswith(f"/api/models/{name}"):
                siblings = [{"rfilename": x.name, "size": x.stat().st_size} for x in sorted(folder.iterdir())]
                self.send(json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode(), {}, body=body)
            elif (file := folder / path.rpartition("/")[2]).is_file() and path.startswith(f"/{name}/resolve/"):
                data = file.read_bytes()
                tag = f'"{hashlib.sha256(data).hexdigest()}"'
                self.send(data, {"ETag": tag, "X-Repo-Commit": COMMIT}, body=body)
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def send(self, data, headers, *, body):
            self.send_response(200)
            for key, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.asked = asked
    return server
