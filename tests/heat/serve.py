"""A genuine OpenStack Heat for the tests: API and engine in one process, on loopback.

    python serve.py --dir SCRATCH [--port 0] [--stacks-max 512] [--keystone-url http://127.0.0.1:5000/v3]
        [--cert CERT.pem --key KEY.pem]

It says `ready http://127.0.0.1:PORT/v1` when it is, and before that, with a certificate, `safe https://…` where it is
to be had by TLS. Everything it keeps is under SCRATCH (SQLite), so that it can be killed and started again on the same
port. It ends when its standard input does. Without Keystone it believes that whoever asks for a project belongs to it;
with Keystone its own user there is STOKEHOLD_KEYSTONE_USER with STOKEHOLD_KEYSTONE_PASSWORD.
"""
import argparse
import contextlib
import os
import pathlib
import ssl
import subprocess
import sys
import threading

TYPES = pathlib.Path(__file__).resolve().parent / 'types'


def settings(args, scratch):
    """What heat.conf says, section by section."""
    sections = {
        'DEFAULT': {
            'transport_url': 'fake:/',
            'plugin_dirs': TYPES,
            'log_file': scratch / 'heat.log',
            'convergence_engine': False,
            'deferred_auth_method': 'password',
            'auth_encryption_key': 'only for tests, 32 characters ok',
            # How long what is broken off may still take; four minutes by default.
            'error_wait_time': 1,
            'max_stacks_per_tenant': args.stacks_max,
            'region_name_for_services': 'RegionOne',
        },
        'cache': {'enabled': False},
        # Tests lose nothing when the machine does.
        'database': {'connection': f'sqlite:///{scratch}/heat.sqlite?timeout=60', 'sqlite_synchronous': False},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'oslo_policy': {'policy_file': scratch / 'policy.yaml', 'enforce_scope': False},
        'paste_deploy': {'api_paste_config': pathlib.Path(sys.prefix) / 'etc/heat/api-paste.ini'},
    }
    if args.keystone_url is None:
        sections['paste_deploy']['flavor'] = 'noauth'
    else:
        sections['keystone_authtoken'] = {
            'auth_type': 'password',
            'interface': 'public',
            'auth_url': args.keystone_url,
            'www_authenticate_uri': args.keystone_url,
            'cafile': args.keystone_ca or '',
            'username': os.environ['STOKEHOLD_KEYSTONE_USER'],
            'password': os.environ['STOKEHOLD_KEYSTONE_PASSWORD'],
            'project_name': os.environ.get('STOKEHOLD_KEYSTONE_PROJECT', 'admin'),
            'user_domain_id': 'default',
            'project_domain_id': 'default',
            # What is taken back must not be believed a moment longer.
            'token_cache_time': -1,
        }
    return sections


def write(args, scratch):
    """Writes heat.conf and the policy; without Keystone there are no roles to be judged by."""
    lines = []
    for section, values in settings(args, scratch).items():
        lines += [f'[{section}]', *(f'{key} = {value}' for key, value in values.items())]
    conf = scratch / 'heat.conf'
    conf.write_text('\n'.join(lines) + '\n')
    rules = []
    if args.keystone_url is None:
        from heat import policies
        # Everybody may do everything in his project, but nobody sees those of others, as an administrator does.
        allowed = {rule.name: '@' for rule in policies.list_rules()} | {'context_is_admin': '!'}
        rules = [f'"{name}": "{rule}"' for name, rule in allowed.items()]
    (scratch / 'policy.yaml').write_text('\n'.join(rules) + '\n')
    return conf


def one_at_a_time():
    """SQLite has one writer, and a reader that becomes one while another writes is refused: threads take turns."""
    from oslo_db.sqlalchemy import enginefacade
    manager, turn = enginefacade._TransactionContextManager, threading.RLock()
    scope = manager._transaction_scope

    @contextlib.contextmanager
    def alone(self, context):
        with turn, scope(self, context) as resource:
            yield resource

    manager._transaction_scope = alone


def start(conf):
    """The engine, in threads of this process, and the API as a WSGI application."""
    from oslo_service import backend
    backend.init_backend(backend.BackendType.THREADING)
    from heat.common import config, messaging
    from oslo_config import cfg
    from oslo_log import log
    log.register_options(cfg.CONF)
    cfg.CONF(['--config-file', str(conf)], project='heat', prog='heat-api', version='tests')
    log.setup(cfg.CONF, 'heat-api')
    messaging.setup()
    one_at_a_time()
    from heat.engine import service, template
    from heat.rpc import api
    template._get_template_extension_manager()
    service.EngineService(cfg.CONF.host, api.ENGINE_TOPIC).start()
    return config.load_paste_app()


def listen(application, port):
    """A server with a thread for each request."""
    import socketserver
    from wsgiref import simple_server

    class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
        daemon_threads = True
        request_queue_size = 256

    class Silent(simple_server.WSGIRequestHandler):
        def log_message(self, *_):
            """The log is Heat's."""

    return simple_server.make_server('127.0.0.1', port, application, Server, Silent)


def listen_safely(application, cert, key):
    """The same by TLS, on a port of its own."""
    server = listen(application, 0)
    # What Heat says of its own address.
    server.base_environ['HTTPS'] = 'on'
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def believing(application):
    """Without Keystone the project is who asks: the one that the address names."""
    def call(environ, start_response):
        _, version, project, *_ = environ.get('PATH_INFO', '').split('/') + ['', '', '']
        if version == 'v1' and project:
            environ['HTTP_X_AUTH_PROJECT'] = project
        return application(environ, start_response)
    return call


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--dir', type=pathlib.Path, required=True)
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--stacks-max', type=int, default=512)
    parser.add_argument('--keystone-url')
    parser.add_argument('--keystone-ca')
    parser.add_argument('--cert')
    parser.add_argument('--key')
    args = parser.parse_args()
    scratch = args.dir.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    os.environ['STOKEHOLD_HEAT_SCRATCH'] = str(scratch)
    # Before anything that takes its time: the port may be gone by then.
    server = listen(None, args.port)
    conf = write(args, scratch)
    manage = [os.path.join(sys.prefix, 'bin', 'heat-manage'), '--config-file', str(conf), 'db_sync']
    subprocess.run(manage, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    application = start(conf)
    if args.keystone_url is None:
        application = believing(application)
    server.set_app(application)
    if args.cert:
        safe = listen_safely(application, args.cert, args.key)
        threading.Thread(target=safe.serve_forever, daemon=True).start()
        print(f'safe https://127.0.0.1:{safe.server_port}/v1', flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print(f'ready http://127.0.0.1:{server.server_port}/v1', flush=True)
    server.serve_forever()


if __name__ == '__main__':
    main()
