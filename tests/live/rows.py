#!/usr/bin/env python3
"""Which lines of the model that decide an answer has no live prediction reached? The live comparison is built with
coverage and run; what remains must be listed, with its reason, in tests/live/rows.exceptions.

    tests/live/rows.py build/cov        SEED=.. OPS=.. as for make check-live
"""
import collections
import glob
import json
import os
import subprocess
import sys

FILES = """bind bucket conn conn_queue foreign learn learn_conn learn_connect listener port port_ask predict predict_bind
           predict_connect predict_udp predict_unix range request route told tuple""".split()
EXCEPTIONS = 'tests/live/rows.exceptions'


def play(build):
    for old in glob.glob(f'{build}/obj/**/*.gcda', recursive=True):
        os.remove(old)
    env = dict(os.environ, SEED=os.environ.get('SEED') or '1', OPS=os.environ.get('OPS') or '400000', JOBS='12')
    run = subprocess.run([f'{build}/tests/live'], env=env, stdout=subprocess.PIPE, text=True)
    if run.returncode or '[  SKIPPED ]' in run.stdout:
        sys.exit(run.stdout + 'rows: the comparison itself has not passed')
    print(''.join(line + '\n' for line in run.stdout.splitlines() if line.startswith('# ')), end='')


def lines_of(build, name):
    """(number, function, count) of each line with code, in the file itself."""
    path = f'{build}/obj/shim/model/{name}'
    out = subprocess.run(['gcov', '--json-format', '--stdout', f'{path}.gcda'], capture_output=True, check=True).stdout
    counts = collections.Counter()
    function = {}
    for one in json.loads(out)['files']:
        if one['file'] != f'shim/model/{name}.c':
            continue
        for line in one['lines']:
            counts[line['line_number']] += line['count']
            function[line['line_number']] = line.get('function_name', '')
    return [(n, function[n], counts[n]) for n in sorted(counts)]


def exceptions():
    """[file, "function()", "function(): text of the line" or the text alone, reason, there is such a line]"""
    with open(EXCEPTIONS, encoding='utf-8') as f:
        rows = [line.rstrip('\n').split(' | ') for line in f if line.strip() and not line.startswith('#')]
    for row in rows:
        if len(row) != 3:
            sys.exit(f'{EXCEPTIONS}: not "file | line | reason": {row}')
    return [row + [False] for row in rows]


def is_excepted(rows, name, function, text):
    found = False
    for row in rows:
        where, _, what = row[1].rpartition('(): ')
        fits = row[1] == f'{function}()' or (where in ('', function) and what in text)
        if row[0] == f'{name}.c' and fits:
            row[3] = found = True
    return found


def main():
    build = sys.argv[1]
    play(build)
    rows = exceptions()
    bad = total = excepted = 0
    for name in FILES:
        with open(f'shim/model/{name}.c', encoding='utf-8') as f:
            source = f.read().split('\n')
        for number, function, count in lines_of(build, name):
            text = source[number - 1]
            total += 1
            named = is_excepted(rows, name, function, text)
            if count:
                continue
            if named:
                excepted += 1
                continue
            print(f'shim/model/{name}.c:{number}: in {function}(), never played: {text.strip()}')
            bad += 1
    for row in rows:
        if not row[3]:
            print(f'{EXCEPTIONS}: {row[0]} | {row[1]}: there is no such line')
            bad += 1
    print(f'# {total} lines that decide, {total - bad - excepted} played, {excepted} excepted, {bad} to see to')
    return bad != 0


sys.exit(main())
