"""Writes the expectations of cases.json anew from the genuine Jinja2: `python3 expect.py` (needs jinja2).

A case is `{template, context}`; it gets `expected`, the rendered text, or null where Jinja2 raises an error. With
`known` it is a difference that we live with: what we render instead.
"""
import json
import pathlib
import re

import jinja2

FILE = pathlib.Path(__file__).with_name('cases.json')


def main():
    environment = jinja2.Environment()
    environment.filters['match'] = lambda text, pattern: (
        isinstance(text, str) and re.match(pattern, text) is not None)
    cases = json.loads(FILE.read_text())
    for case in cases:
        try:
            # Our contexts arrive with their keys in alphabetical order.
            context = json.loads(json.dumps(case['context'], sort_keys=True))
            case['expected'] = environment.from_string(case['template']).render(context)
        except Exception:
            case['expected'] = None
    lines = ',\n'.join('  ' + json.dumps(case, ensure_ascii=False) for case in cases)
    FILE.write_text('[\n' + lines + '\n]\n')


if __name__ == '__main__':
    main()
