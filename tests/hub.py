"""A Hub on loopback, for the real huggingface_hub client: models, data sets and Spaces of users.

    with Hub({"hf_alice": "alice"}, folder) as hub:
        subprocess.run([...], env={**os.environ, **hub.env("hf_alice", home)})
        assert hub.log  # [method, path, status, user] of every request

It knows commits, branches and tags, private repositories, and the two ways in which files travel:
small ones within the commit, large ones and weights (LFS) by their SHA-256 to and from an address
of their own. The newer way (xet) is not spoken: `env` turns it off in the client. `stall` lets
every upload hang, `damage` spoils what is downloaded, `away` answers 503.

Written from what huggingface_hub 2.4 sends; https://huggingface.co/docs/hub/api has the API.
"""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".pkl", ".onnx")  # always LFS, as on the Hub
STALL_SECONDS = 120


class Refusal(Exception):
    """An answer that is no success: status, message, and the code by which the client knows it."""

    def __init__(self, status: int, message: str, code: str = ""):
        super().__init__(message)
        self.status, self.headers = status, {"X-Error-Message": message}
        self.headers |= {"X-Error-Code": code} if code else {}


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def front_matter(text: str) -> dict:
    """Of a card; empty without one."""
    found = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    return (yaml.safe_load(found[1]) or {}) if found else {}


class Repository:
    """Commits, which are whole trees, and the names that lead to them."""

    def __init__(self, name: str, private: bool, tree: dict[str, str]):
        self.name, self.private = name, private
        self.commits, self.branches, self.tags = {}, {}, {}
        self.add("main", tree, "initial commit")

    def add(self, branch: str, tree: dict[str, str], title: str) -> str:
        """A commit whose tree is the SHA-256 of each file, by path; returns its number."""
        parent = self.branches.get(branch)
        body = json.dumps([self.name, parent, tree, title, len(self.commits)])
        number = hashlib.sha1(body.encode()).hexdigest()
        self.commits[number] = {"parent": parent, "tree": tree, "title": title, "date": now()}
        self.branches[branch] = number
        return number

    def find(self, revision: str) -> str:
        """The commit of a branch, a tag or a number."""
        found = self.branches.get(revision) or self.tags.get(revision, revision)
        if found not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found


class Hub:
    """Users by token; files below a folder, by their SHA-256."""

    def __init__(self, tokens: dict[str, str], folder: Path):
        self.tokens, self.folder, self.lfs_over = dict(tokens), folder, 10_000_000
        self.repos: dict[str, Repository] = {}
        self.log, self.lock = [], threading.RLock()
        self.stall = self.damage = self.away = False
        self.stalled = threading.Event()  # an upload hangs
        folder.mkdir(parents=True)
        handler = type("HandlerOfOne", (Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()

    def env(self, token: str | None = None, home: Path | None = None) -> dict[str, str]:
        """What a process needs that talks to it."""
        env = {"HF_ENDPOINT": self.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        env |= {"NO_PROXY": "127.0.0.1,localhost"}
        env |= {"HF_TOKEN": token} if token else {}
        return env | ({"HF_HOME": str(home)} if home else {})

    def keep(self, content: bytes) -> str:
        """Store a file; returns its SHA-256."""
        name = hashlib.sha256(content).hexdigest()
        (self.folder / name).write_bytes(content)
        return name

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def is_large(self, path: str, size: int) -> bool:
        """Whether a file travels by its SHA-256."""
        return path.lower().endswith(WEIGHTS) or size >= self.lfs_over

    def entry(self, path: str, name: str) -> dict:
        """What the API tells of a file."""
        content = self.read(name)
        told = {"type": "file", "path": path, "size": len(content)}
        told["oid"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if self.is_large(path, len(content)):
            told["lfs"] = {"oid": name, "sha256": name, "size": len(content), "pointerSize": 130}
        return told


class Handler(BaseHTTPRequestHandler):
    """One request: a route finds who answers it."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_) -> None:
        pass

    def answer(self, status: int, body: object = b"", headers: dict[str, str] | None = None):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        self.hub.log.append([self.command, self.path, status, self.user])
        self.send_response(status)
        given = {"Content-Type": kind, "Content-Length": str(len(content))} | (headers or {})
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def serve(self) -> None:
        """Answer whatever was asked."""
        self.user = None
        self.raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self.user = self.who()
            self.route()
        except Refusal as e:
            self.answer(e.status, {"error": str(e)}, e.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve  # noqa: N815

    def who(self) -> str | None:
        if self.hub.away:
            raise Refusal(503, "The Hub is away")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return self.hub.tokens.get(token)

    def json(self) -> dict:
        return json.loads(self.raw or b"{}")

    def route(self) -> None:
        path = urlsplit(self.path).path
        kind = r"(?:(models|datasets|spaces)/)?"
        routes: dict[str, Callable[..., None]] = {
            r"/api/validate-yaml": self.validate,
            r"/api/repos/create": self.create,
            r"/lfs/([0-9a-f]{64})": self.large_file,
            rf"/{kind}([^/]+/[^/]+)\.git/info/lfs/objects/batch": self.batch,
            rf"/{kind}([^/]+/[^/]+)/resolve/([^/]+)/(.+)": self.resolve,
            rf"/api/{kind}([^/]+/[^/]+)(?:/([^/]+))?(?:/([^/]+))?(?:/(.+))?": self.repository,
        }
        for pattern, work in routes.items():
            if found := re.fullmatch(pattern, path):
                return work(*(unquote(part) if part else part for part in found.groups()))
        raise Refusal(404, f"this Hub does not serve {self.command} {path}")

    def find(self, kind: str | None, name: str, *, write: bool = False) -> Repository:
        """A repository that the user may see, or write."""
        repo = self.hub.repos.get(f"{kind or 'models'}/{name}")
        mine = self.user == name.partition("/")[0]
        if repo is None or not (mine or not repo.private) or (write and not self.user):
            if self.user:
                raise Refusal(404, "Repository not found", "RepoNotFound")
            raise Refusal(401, "Invalid username or password.", "RepoNotFound")
        if write and not mine:
            raise Refusal(403, f"You don't have write access to {name}")
        return repo

    def validate(self) -> None:
        self.answer(200, {"errors": [], "warnings": []})

    def create(self) -> None:
        asked = self.json()
        owner, kind = asked.get("organization") or self.user, asked.get("type") or "model"
        if not self.user:
            raise Refusal(401, "Invalid username or password.")
        if owner != self.user:
            raise Refusal(403, f"You don't have the rights to create a repository of {owner}")
        name = f"{owner}/{asked['name']}"
        url = f"{self.hub.url}/{name}" if kind == "model" else f"{self.hub.url}/{kind}s/{name}"
        if f"{kind}s/{name}" in self.hub.repos:
            return self.answer(409, {"error": "You already created this repo", "url": url})
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        tree = {".gitattributes": self.hub.keep(b"*.safetensors filter=lfs\n")}
        self.hub.repos[f"{kind}s/{name}"] = Repository(name, private, tree)
        self.answer(200, {"url": url, "name": name})

    def batch(self, kind: str | None, name: str) -> None:
        """Where each large file that is not there yet goes."""
        self.find(kind, name, write=True)
        told = []
        for thing in self.json()["objects"]:
            where = {"upload": {"href": f"{self.hub.url}/lfs/{thing['oid']}"}}
            there = (self.hub.folder / thing["oid"]).exists()
            told.append(thing | ({} if there else {"actions": where}))
        self.answer(200, {"transfer": "basic", "objects": told})

    def large_file(self, name: str) -> None:
        if self.command == "PUT":
            if self.hub.stall:
                self.hub.stalled.set()
                time.sleep(STALL_SECONDS)
            if hashlib.sha256(self.raw).hexdigest() != name:
                raise Refusal(400, "this is not what was announced")
            self.hub.keep(self.raw)
            return self.answer(200)
        content = self.hub.read(name)
        if self.hub.damage:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.answer(200, content, {"ETag": f'"{name}"'})

    def resolve(self, kind: str | None, name: str, revision: str, path: str) -> None:
        repo = self.find(kind, name)
        commit = repo.find(revision)
        tree = repo.commits[commit]["tree"]
        if path not in tree:
            error = Refusal(404, "Entry not found", "EntryNotFound")
            error.headers["X-Repo-Commit"] = commit
            raise error
        told = self.hub.entry(path, tree[path])
        headers = {"X-Repo-Commit": commit, "ETag": f'"{told["oid"]}"'}
        if "lfs" not in told:
            return self.answer(200, self.hub.read(tree[path]), headers)
        headers |= {"X-Linked-ETag": f'"{tree[path]}"', "X-Linked-Size": str(told["size"])}
        elsewhere = self.hub.url.replace("127.0.0.1", "localhost")  # no token goes there
        self.answer(302, b"", headers | {"Location": f"{elsewhere}/lfs/{tree[path]}"})

    def repository(
        self, kind: str, name: str, verb: str | None, revision: str | None, below: str | None
    ) -> None:
        """What is asked of a repository as a whole, by the word after its name."""
        write = self.command in ("PUT", "DELETE") or verb in ("preupload", "commit", "tag")
        repo = self.find(kind, name, write=write)
        if verb == "tag":
            return self.tag(repo, revision)
        if verb == "refs":
            names = {"branches": ("heads", repo.branches), "tags": ("tags", repo.tags)}
            told = {
                key: [
                    {"name": n, "ref": f"refs/{where}/{n}", "targetCommit": c}
                    for n, c in found.items()
                ]
                for key, (where, found) in names.items()
            }
            return self.answer(200, told | {"converts": []})
        commit = repo.find(revision or "main")
        tree = repo.commits[commit]["tree"]
        work = {
            None: self.info,
            "revision": self.info,
            "tree": self.tree,
            "paths-info": self.paths,
            "commits": self.commits,
            "preupload": self.preupload,
            "commit": self.commit,
        }
        if verb not in work:
            raise Refusal(404, f"this Hub does not serve {verb}")
        work[verb](repo, commit, tree)

    def tag(self, repo: Repository, name: str) -> None:
        if self.command == "DELETE":
            del repo.tags[name]
        else:
            tag, commit = self.json()["tag"], repo.find(name)
            if tag in repo.tags:
                raise Refusal(409, f"Reference already exists: {tag}")
            repo.tags[tag] = commit
        self.answer(200, {})

    def info(self, repo: Repository, commit: str, tree: dict[str, str]) -> None:
        sizes = "blobs" in parse_qs(urlsplit(self.path).query)
        files = []
        for path, name in sorted(tree.items()):
            told = self.hub.entry(path, name)
            more = {"size": told["size"], "blobId": told["oid"], "lfs": told.get("lfs")}
            files.append({"rfilename": path} | (more if sizes else {}))
        card = self.hub.read(tree["README.md"]).decode() if "README.md" in tree else ""
        told = {"id": repo.name, "sha": commit, "private": repo.private, "siblings": files}
        date = repo.commits[commit]["date"]
        self.answer(200, told | {"cardData": front_matter(card), "lastModified": date})

    def tree(self, repo: Repository, commit: str, tree: dict[str, str]) -> None:
        self.answer(200, [self.hub.entry(path, name) for path, name in sorted(tree.items())])

    def paths(self, repo: Repository, commit: str, tree: dict[str, str]) -> None:
        wanted = parse_qs(self.raw.decode()).get("paths", [])
        self.answer(200, [self.hub.entry(path, tree[path]) for path in wanted if path in tree])

    def commits(self, repo: Repository, commit: str, tree: dict[str, str]) -> None:
        told = []
        while commit:
            found = repo.commits[commit]
            row = {"id": commit, "title": found["title"], "message": "", "date": found["date"]}
            told.append(row | {"authors": []})
            commit = found["parent"]
        self.answer(200, told)

    def preupload(self, repo: Repository, commit: str, tree: dict[str, str]) -> None:
        """How each file is to travel, and what is there in its place."""
        told = []
        for file in self.json()["files"]:
            path = file["path"]
            large = self.hub.is_large(path, file["size"])
            there = self.hub.entry(path, tree[path]) if path in tree else {}
            oid = there["lfs"]["oid"] if "lfs" in there else there.get("oid")
            mode = "lfs" if large else "regular"
            told.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self.answer(200, {"files": told})

    def commit(self, repo: Repository, commit: str, tree: dict[str, str]) -> None:
        """All or nothing of what the lines ask for."""
        tree, title = dict(tree), ""
        for item in map(json.loads, filter(None, self.raw.split(b"\n"))):
            what, value = item["key"], item["value"]
            if what == "header":
                title = value["summary"]
                if value.get("parentCommit") not in (None, commit):
                    raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            elif what == "file":
                tree[value["path"]] = self.hub.keep(base64.b64decode(value["content"]))
            elif what == "lfsFile":
                if not (self.hub.folder / value["oid"]).exists():
                    raise Refusal(400, f"{value['path']} was never uploaded")
                tree[value["path"]] = value["oid"]
            elif what == "deletedFile":
                del tree[value["path"]]
        with self.hub.lock:
            number = repo.add("main", tree, title)
        url = f"{self.hub.url}/{repo.name}/commit/{number}"
        self.answer(200, {"success": True, "commitOid": number, "commitUrl": url})
