"""pyftpdlib on a directory: serve_pyftpdlib.py PORT DIRECTORY."""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

port, directory = int(sys.argv[1]), sys.argv[2]
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_user("user", "password", directory, perm="elradfmwMT")
FTPServer(("127.0.0.1", port), FTPHandler).serve_forever()
