"""docs/security.md against the tests: what it names is there, and what carries a rule's number stands in that rule's row."""
import re

from server import ROOT

NUMBERS = re.compile(r'(?:^|_)(mp|sv)_(\d\d(?:(?:_and)?_\d\d)*)(?=_)')
RULES = {'MP': [*range(1, 12), *range(20, 34)], 'SV': range(1, 8)}  # those that there are


def read_tests(folder):
    """Names of tests, each with the files that have it: functions of pytest, and what cmocka is told to run."""
    found = {}
    for path in folder.rglob('*'):
        text = path.read_text() if path.suffix in ('.py', '.c') and 'node_modules' not in path.parts else ''
        names = re.findall(r'^def (test_\w+)\(', text, re.M) if path.suffix == '.py' else \
            re.findall(r'\b(?:cmocka_unit_test\w*|seeded_test)\((\w+)', text)
        for name in names:
            found.setdefault(name, set()).add(path.name)
    return found


def numbers_in(name):
    return {f'{kind.upper()}-{number}' for kind, numbers in NUMBERS.findall(name) for number in re.findall(r'\d\d', numbers)}


def rows_of(text):
    """(rule, what is named as its test) of each row; `(file)` behind a name says where it is."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip('|').split(' | ')]
        if line.startswith('| ') and len(cells) == 3 and cells[0] not in ('rule', 'attack', '---'):
            yield cells[0], re.findall(r'`([^`]+)`(?: \(([\w./]+)\))?', cells[2])


def complaints(text, tests, files):
    listed = {}
    for rule, named in rows_of(text):
        for name, place in named:
            if '/' in name:
                if name not in files:
                    yield f'{rule}: there is no file {name}'
            elif name not in tests:
                yield f'{rule}: there is no test {name}'
            elif place and place.rpartition('/')[2] not in tests[name]:
                yield f'{rule}: {name} is not in {place}'
        listed.setdefault(rule, set()).update(name for name, _ in named)
        if not named:
            yield f'{rule}: no test is named'
    for name in sorted(tests):
        for rule in numbers_in(name):
            if name not in listed.get(rule, ()):
                yield f'{name} does not stand in the row of {rule}'
    later = set(re.findall(r'\b(?:MP|SV)-\d\d\b', text.partition('Not here yet')[2]))
    for rule in (f'{kind}-{number:02}' for kind, numbers in RULES.items() for number in numbers):
        if rule not in later and not any(rule in numbers_in(name) for name in listed.get(rule, ())):
            yield f'{rule}: no test that carries its number'


def test_the_rules_tests_are_there_and_every_one_is_listed():
    files = {str(path.relative_to(ROOT)) for path in (ROOT / 'tests').rglob('*')}
    assert list(complaints((ROOT / 'docs/security.md').read_text(), read_tests(ROOT / 'tests'), files)) == []


def test_a_table_that_is_wrong_is_seen():
    rows = '| MP-01 | x | `mp_01_a` (one.c), `tests/a.py` |\n| SV-01 | x | `test_sv_01_and_02_b` |\n| SV-02 | x | `test_sv_01_and_02_b` |\n'
    rest = 'Not here yet: ' + ' '.join(f'{kind}-{number:02}' for kind, numbers in RULES.items() for number in numbers
                                       if f'{kind}-{number:02}' not in ('MP-01', 'SV-01', 'SV-02'))
    tests, files = {'mp_01_a': {'one.c'}, 'test_sv_01_and_02_b': {'test_b.py'}}, {'tests/a.py'}
    assert list(complaints(rows + rest, tests, files)) == []
    for wrong in ((rows.replace('mp_01_a', 'mp_01_b') + rest, tests, files), (rows.replace('one.c', 'two.c') + rest, tests, files),
                  (rows.replace('a.py', 'b.py') + rest, tests, files), (rows.rpartition('| SV-02')[0] + rest, tests, files),
                  (rows + rest.replace('MP-33', ''), tests, files), (rows + rest, {**tests, 'mp_01_more': {'one.c'}}, files),
                  (rows + '| MP-33 | x | none |\n' + rest, tests, files)):
        assert list(complaints(*wrong)) != []
