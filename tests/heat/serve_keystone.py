"""A genuine OpenStack Keystone for the tests, in one process on loopback.

    python serve_keystone.py --dir SCRATCH [--port 0] [--cert CERT.pem --key KEY.pem]

It says `ready http://127.0.0.1:PORT/v3` when it is, and before that, with a certificate, `safe https://…` where it is
to be had by TLS. Its administrator is `admin` with the password of the variable STOKEHOLD_KEYSTONE_PASSWORD.
Everything it keeps is under SCRATCH (SQLite, Fernet keys). It ends when its standard input does.
"""
import argparse
import os
import pathlib
import socketserver
import ssl
import sys
import threading
from wsgiref import simple_server


def settings(scratch):
    """What keystone.conf says, section by section."""
    return {
        'DEFAULT': {'log_file': scratch / 'keystone.log', 'insecure_debug': True},
        'cache': {'enabled': False},
        'catalog': {'driver': 'sql'},
        'credential': {'key_repository': scratch / 'credential-keys'},
        'database': {'connection': f'sqlite:///{scratch}/keystone.sqlite?timeout=60', 'sqlite_synchronous': False},
        'fernet_tokens': {'key_repository': scratch / 'fernet-keys'},
        'identity': {'password_hash_algorithm': 'scrypt'},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'fernet_receipts': {'key_repository': scratch / 'fernet-keys'},
        'token': {'provider': 'fernet'},
    }


def write(scratch):
    """Writes keystone.conf and the keys."""
    from cryptography.fernet import Fernet
    lines = []
    for section, values in settings(scratch).items():
        lines += [f'[{section}]', *(f'{key} = {value}' for key, value in values.items())]
    conf = scratch / 'keystone.conf'
    conf.write_text('\n'.join(lines) + '\n')
    for folder in ['credential-keys', 'fernet-keys']:
        keys = scratch / folder
        keys.mkdir(mode=0o700, exist_ok=True)
        for name in ['0', '1']:
            if not (keys / name).exists():
                (keys / name).write_bytes(Fernet.generate_key())
                (keys / name).chmod(0o600)
    return conf


def one_at_a_time():
    """SQLite has one writer, and a reader that becomes one while another writes is refused: threads take turns."""
    import contextlib
    from oslo_db.sqlalchemy import enginefacade
    manager, turn = enginefacade._TransactionContextManager, threading.RLock()
    scope = manager._transaction_scope

    @contextlib.contextmanager
    def alone(self, context):
        with turn, scope(self, context) as resource:
            yield resource

    manager._transaction_scope = alone


def start(conf, url):
    """The application, its tables and its administrator."""
    from keystone.server.flask import core
    one_at_a_time()
    application = core.initialize_application('public', config_files=[str(conf)])
    from keystone.common.sql import upgrades
    upgrades.offline_sync_database_to_version()
    from keystone.cmd import bootstrap
    from keystone.server import backends
    # They are loaded, and a second time is refused.
    backends.load_backends = dict
    first = bootstrap.Bootstrapper()
    first.admin_username, first.admin_password = 'admin', os.environ['STOKEHOLD_KEYSTONE_PASSWORD']
    first.project_name, first.admin_role_name, first.service_name = 'admin', 'admin', 'keystone'
    first.region_id, first.public_url = 'RegionOne', url
    first.admin_url = first.internal_url = None
    first.immutable_roles = False
    first.bootstrap()
    return application


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    """With a thread for each request."""

    daemon_threads = True
    request_queue_size = 128


class Silent(simple_server.WSGIRequestHandler):
    """The log is Keystone's."""

    def log_message(self, *_):
        """Says nothing."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--dir', type=pathlib.Path, required=True)
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--cert')
    parser.add_argument('--key')
    args = parser.parse_args()
    # Keystone reads them, too.
    del sys.argv[1:]
    scratch = args.dir.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    server = simple_server.make_server('127.0.0.1', args.port, None, Server, Silent)
    url = f'http://127.0.0.1:{server.server_port}/v3'
    application = start(write(scratch), url)
    server.set_app(application)
    if args.cert:
        safe = simple_server.make_server('127.0.0.1', 0, application, Server, Silent)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
        safe.socket = context.wrap_socket(safe.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=safe.serve_forever, daemon=True).start()
        print(f'safe https://127.0.0.1:{safe.server_port}/v3', flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print(f'ready {url}', flush=True)
    server.serve_forever()


if __name__ == '__main__':
    main()
