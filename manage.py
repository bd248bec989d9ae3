#!/usr/bin/env python
"""Every command of the hub, from a checkout: `manage.py COMMAND` is the same as `dmphub COMMAND`."""

from dmphub.__main__ import main

if __name__ == "__main__":
    main()
