"""A Debian with nothing on it, in which programs run as on a machine of their own: by chroot, or started by its systemd."""
import os
import shutil
import subprocess
import time
from pathlib import Path

from server import ROOT

BASE = ROOT / 'build/roots/minimal.tar'
STALE_S = 24 * 60 * 60
MOUNTS = ['proc', 'sys', 'dev', 'dev/pts', 'dev/shm']
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
PROXIES = ('http_proxy', 'https_proxy', 'no_proxy')


def codename():
    lines = Path('/etc/os-release').read_text().splitlines()
    return next(line.split('=')[1] for line in lines if line.startswith('VERSION_CODENAME='))


def make_base():
    """Once a day at most: it takes half a minute."""
    if BASE.exists() and time.time() - BASE.stat().st_mtime < STALE_S:
        return
    BASE.parent.mkdir(parents=True, exist_ok=True)
    made = BASE.with_suffix('.new')
    subprocess.run(['mmdebstrap', '--quiet', '--variant=minbase', '--include=ca-certificates', '--format=tar', codename(),
                    made], check=True, stdin=subprocess.DEVNULL)
    made.rename(BASE)


class CleanRoot:
    def __init__(self, folder):
        make_base()
        self.path = Path(folder)
        self.path.mkdir()
        self.container = None
        self.mounted = []
        subprocess.run(['tar', '-C', self.path, '--exclude=./dev/*', '-xf', BASE], check=True)
        self.take_sources()

    def take_sources(self):
        """Packages come from where this machine has them from."""
        for path in ('/etc/resolv.conf', '/etc/hosts', '/etc/ssl/certs/ca-certificates.crt'):
            if os.path.exists(path):
                shutil.copy(path, self.path / path[1:])
        shutil.rmtree(self.path / 'etc/apt')
        for folder in ('/etc/apt', '/usr/share/keyrings'):
            (self.path / folder[1:]).mkdir(parents=True, exist_ok=True)
            subprocess.run(['cp', '-a', f'{folder}/.', self.path / folder[1:]], check=True)

    def mount(self):
        for mount in MOUNTS:
            subprocess.run(['mount', '--bind', f'/{mount}', self.path / mount], check=True)
            self.mounted.append(self.path / mount)

    def unmount(self):
        while self.mounted:
            subprocess.run(['umount', '-l', self.mounted.pop()], check=True)

    def run(self, *command, user='root', check=True, environment=None, folder='/', timeout=170):
        """In the root, with an environment of its own. What was printed comes back."""
        settings = {key: value for key, value in os.environ.items() if key.lower() in PROXIES}
        settings |= {'PATH': PATH, 'HOME': '/root', 'LANG': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive', **(environment or {})}
        if not self.mounted and self.container is None:
            self.mount()
        ended = subprocess.run(['env', '-i', *(f'{key}={value}' for key, value in settings.items()), *self.way_in(user, folder),
                                *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               timeout=timeout, text=True, errors='replace')
        assert not check or ended.returncode == 0, (command, ended.returncode, ended.stdout[-5000:])
        return ended.stdout if check else ended

    def way_in(self, user, folder):
        if self.container is not None:
            return ['nsenter', '--target', str(self.leader()), '--all', 'env', '-C', folder]
        return ['chroot', f'--userspec={user}', self.path, 'env', '-C', folder]

    def install(self, *packages):
        self.run('apt-get', '-qq', '-o', 'Acquire::Retries=3', 'update')
        return self.run('apt-get', '-qq', '-y', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0', 'install', *packages)

    # ---- with a systemd of its own

    def boot(self):
        """False: this machine lets no container have its own systemd."""
        self.unmount()
        (self.path / 'etc/machine-id').write_text('')
        with open(f'{self.path}.boot.log', 'wb') as log:
            self.container = subprocess.Popen(['systemd-nspawn', '--quiet', '--keep-unit', '--register=no', '--private-network',
                                               '--boot', '--directory', self.path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while time.monotonic() < until and self.container.poll() is None:
            if self.leader() is not None:
                state = self.run('systemctl', 'is-system-running', check=False).stdout.strip()
                if state in ('running', 'degraded'):
                    return True
            time.sleep(0.2)
        self.end_container()
        return False

    def leader(self):
        """The container's first process."""
        children = Path(f'/proc/{self.container.pid}/task/{self.container.pid}/children').read_text().split()
        return children[0] if children else None

    def end_container(self):
        if self.container.poll() is None and self.leader() is not None:
            self.run('systemctl', 'poweroff', '--force', check=False)
        try:
            self.container.wait(20)
        except subprocess.TimeoutExpired:
            self.container.kill()
            self.container.wait()
        self.container = None

    def close(self):
        if self.container is not None:
            self.end_container()
        self.unmount()
        shutil.rmtree(self.path, ignore_errors=True)
