"""Writes the expectations of cases.json anew from the genuine PyYAML: `python3 expect.py` (needs pyyaml).

A case is `{text}`; it gets `expected`, the value as JSON, or `error: true` where PyYAML refuses the text. With `known`
it is a difference that we live with: what we make of it, `error` for an error.
"""
import datetime
import json
import math
import pathlib

import yaml

FILE = pathlib.Path(__file__).with_name('cases.json')


def as_json(value):
    """What JSON cannot say is marked: such a case needs `known`."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, (datetime.date, bytes, set)) or (isinstance(value, float) and not math.isfinite(value)):
        return {'python': repr(value)}
    return value


def main():
    cases = json.loads(FILE.read_text())
    for case in cases:
        case.pop('error', None)
        case.pop('expected', None)
        try:
            case['expected'] = as_json(yaml.safe_load(case['text']))
        except (yaml.YAMLError, ValueError, TypeError):
            case['error'] = True
    lines = ',\n'.join('  ' + json.dumps(case, ensure_ascii=False) for case in cases)
    FILE.write_text('[\n' + lines + '\n]\n')


if __name__ == '__main__':
    main()
