"""`python -m sandbox [--host 127.0.0.1] [--port 8090]`; port 0 picks a free one. The address is printed."""

import argparse

from sandbox.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description="Pretend third parties for the hub.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="0 picks a free port (default %(default)s)")
    arguments = parser.parse_args()
    serve(arguments.port, arguments.host)


if __name__ == "__main__":
    main()
