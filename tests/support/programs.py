"""Tiny programs to supervise, as text for `python -c`; their first argument is a file or the home."""

SLEEP = "import time; time.sleep(1000)"
FAIL = "raise SystemExit('this program always fails')"
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not os.path.isdir(sys.argv[1]):
    open(sys.argv[1], 'w').close()
time.sleep(1000)
"""
COUNT_AND_END = "import sys; open(sys.argv[1], 'a').write('started\\n')"
TELL_WHEN_STOPPED = """
import signal, sys, time
def stopped(number, frame):
    time.sleep(0.3)
    open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')
    sys.exit()
signal.signal(signal.SIGTERM, stopped)
open(sys.argv[1] + '.' + sys.argv[2], 'w').close()
time.sleep(1000)
"""
WITH_A_CHILD = """
import multiprocessing, sys, time
from local.supervisor.child import die_with_parent
def work():
    die_with_parent()
    time.sleep(1000)
multiprocessing.get_context('fork').Process(target=work).start()
time.sleep(1000)
"""
