"""`python -m sandbox [--host 127.0.0.1] [--port 8090] [--sftp-port N]`; port 0 picks a free one."""

import argparse

from sandbox.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description="Pretend third parties for the hub.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="0 picks a free port (default %(default)s)")
    parser.add_argument("--sftp-port", type=int, help="0 picks a free port (without it: no SFTP)")
    arguments = parser.parse_args()
    serve(arguments.port, arguments.host, arguments.sftp_port)


if __name__ == "__main__":
    main()
