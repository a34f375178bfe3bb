"""Runs a Dockerfile's steps in clean roots, as far as ours goes: where there is no Docker, it is as good as built."""
import fnmatch
import json
import re
import shlex
import subprocess

from clean_root import CleanRoot
from server import ROOT


def steps_of(text):
    """(INSTRUCTION, its text) one after another, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.startswith('#')]
    for step in re.sub(r'\\\n', ' ', '\n'.join(lines)).splitlines():
        if step.strip():
            yield tuple(step.split(None, 1))


def sources():
    """What `COPY . .` would send: all that git knows or would take, without what .dockerignore names."""
    files = subprocess.run(['git', '-C', ROOT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], check=True,
                           capture_output=True, text=True).stdout.split('\0')
    ignored = (ROOT / '.dockerignore').read_text().split()
    return [file for file in files if file and (ROOT / file).exists()
            and not any(fnmatch.fnmatch(file, f'{each}/*') for each in ignored)]


class Image:
    """One stage: a root and what the steps have said of how it is used."""

    def __init__(self, folder):
        self.root = CleanRoot(folder)
        self.environment, self.folder, self.user = {}, '/', 'root'
        self.entry, self.command, self.health, self.volumes = [], [], None, []

    def do(self, instruction, text, stages):
        if instruction == 'RUN':
            self.run('sh', '-c', text)
        elif instruction == 'COPY':
            self.copy(shlex.split(text), stages)
        elif instruction == 'WORKDIR':
            self.folder = text
            (self.root.path / text[1:]).mkdir(parents=True, exist_ok=True)
        elif instruction == 'ENV':
            name, value = text.split('=', 1)
            self.environment[name] = value
        elif instruction == 'USER':
            self.user = text
        elif instruction == 'VOLUME':
            self.volumes.append(text)
        elif instruction == 'HEALTHCHECK':
            self.health = json.loads(text.split('CMD', 1)[1])
        elif instruction == 'ENTRYPOINT':
            self.entry = json.loads(text)
        elif instruction == 'CMD':
            self.command = json.loads(text)
        else:
            assert instruction == 'EXPOSE', f'{instruction}: nobody knows what that is'

    def run(self, *command, **options):
        return self.root.run(*command, user=self.user, environment={**self.environment, **options.pop('environment', {})},
                             folder=self.folder, timeout=500, **options)

    def copy(self, words, stages):
        to = self.root.path / (words[-1] if words[-1].startswith('/') else f'{self.folder}/{words[-1]}')[1:]
        if words[0].startswith('--from='):
            subprocess.run(['cp', '-a', stages[words[0].split('=')[1]].root.path / words[1][1:], to], check=True)
            return
        assert words[0] == '.', words
        subprocess.run(['tar', '-C', ROOT, '-cf', self.root.path / 'sources.tar', '--null', '-T', '-'], check=True,
                       input='\0'.join(sources()).encode())
        subprocess.run(['tar', '-C', to, '-xf', self.root.path / 'sources.tar'], check=True)


def build(folder):
    """The last stage's image; the others are gone."""
    stages, last = {}, None
    for instruction, text in steps_of((ROOT / 'Dockerfile').read_text()):
        if instruction == 'FROM':
            name = text.split(' AS ')[-1] if ' AS ' in text else 'last'
            last = stages[name] = Image(folder / name)
        else:
            last.do(instruction, text, stages)
    for image in stages.values():
        if image is not last:
            image.root.close()
    return last
