"""A genuine OpenStack Nova for the tests: its compute API in one process on loopback, behind a Keystone.

    python serve_nova.py --dir SCRATCH --keystone-url http://127.0.0.1:5000/v3 --project ID [--port 0]

It says `ready http://127.0.0.1:PORT/v2.1` when it is, and before that, when it is started for the first time,
`server STATE ID` for each of the servers it has: one in each state that Nova knows (`active`, `stopped`, `error`, …),
all of the project. Its own user at Keystone is STOKEHOLD_KEYSTONE_USER with STOKEHOLD_KEYSTONE_PASSWORD. Everything it
keeps is under SCRATCH (SQLite), so that it can be killed and started again on the same port. It ends when its standard
input does.

There is no compute daemon: the servers are put into Nova's databases with Nova's own objects, and all that is asked of
them is answered, and changed, by its API. Nova's neighbours are stand-ins: a Neutron without ports and a Placement
without allocations.
"""
import argparse
import json
import os
import pathlib
import sys
import threading
from wsgiref import simple_server

from serve_keystone import Server, Silent, one_at_a_time

NAME, PROGRAM = 'osapi_compute', 'nova-api-os-compute'
CELL = 'c0ffee00-0000-4000-8000-000000000001'


def settings(args, scratch, neighbours):
    """What nova.conf says, section by section."""
    login = {
        'auth_type': 'password',
        'auth_url': args.keystone_url,
        'username': os.environ['STOKEHOLD_KEYSTONE_USER'],
        'password': os.environ['STOKEHOLD_KEYSTONE_PASSWORD'],
        'project_name': 'admin',
        'user_domain_id': 'default',
        'project_domain_id': 'default',
    }
    database = {'sqlite_synchronous': False}
    return {
        'DEFAULT': {'transport_url': 'fake:/', 'log_file': scratch / 'nova.log', 'state_path': scratch},
        'api_database': {'connection': f'sqlite:///{scratch}/api.sqlite?timeout=60', **database},
        'cache': {'enabled': False},
        'database': {'connection': f'sqlite:///{scratch}/cell.sqlite?timeout=60', **database},
        'keystone_authtoken': {
            **login,
            'interface': 'public',
            'www_authenticate_uri': args.keystone_url,
            # Seconds; Keystone takes long to say what a token is worth, and a test waits for what is taken back.
            'token_cache_time': 5,
        },
        # Of Glance it only tells the address.
        'glance': {'endpoint_override': f'{neighbours}/glance'},
        'neutron': {**login, 'endpoint_override': f'{neighbours}/neutron'},
        'oslo_concurrency': {'lock_path': scratch},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'placement': {**login, 'endpoint_override': f'{neighbours}/placement'},
    }


def write(args, scratch, neighbours):
    """Writes nova.conf."""
    lines = []
    for section, values in settings(args, scratch, neighbours).items():
        lines += [f'[{section}]', *(f'{key} = {value}' for key, value in values.items())]
    conf = scratch / 'nova.conf'
    conf.write_text('\n'.join(lines) + '\n')
    return conf


def empty(environ, start_response):
    """Neutron and Placement, as far as Nova asks them: there is nothing, and whatever is deleted is gone."""
    if environ['REQUEST_METHOD'] == 'DELETE':
        start_response('204 No Content', [])
        return []
    what = environ['PATH_INFO'].rsplit('/', 1)[-1]
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps({what: []}).encode()]


def start(conf, project):
    """The application, its tables and, the first time, its servers."""
    from nova import monkey_patch
    monkey_patch.patch(backend='threading')
    # The file that Nova brings along is where its parts are put together.
    paste = pathlib.Path(sys.prefix) / 'etc/nova/api-paste.ini'
    os.environ['OS_NOVA_CONFIG_FILES'] = f'{paste};{conf}'
    one_at_a_time()
    from nova.api.openstack import wsgi_app
    wsgi_app.init_global_data([str(paste), str(conf)], NAME, PROGRAM)
    from nova.db import migration
    for database in ['api', 'main']:
        migration.db_sync(database=database)
    from nova import context, objects
    everywhere = context.get_admin_context()
    if not objects.CellMappingList.get_all(everywhere):
        for state, server in servers(everywhere, project):
            print(f'server {state} {server}', flush=True)
    return wsgi_app.init_application(NAME, PROGRAM)


def servers(everywhere, project):
    """Makes a cell, and in it a server in each state; yields state and id."""
    import nova.conf
    from nova import context, objects
    from nova.network import model
    from nova.objects import fields
    cell = objects.CellMapping(
        everywhere, uuid=CELL, name='cell1', transport_url='fake:/',
        database_connection=nova.conf.CONF.database.connection)
    cell.create()
    flavor = objects.Flavor(
        everywhere, name='small', memory_mb=512, vcpus=1, root_gb=1, ephemeral_gb=0, flavorid='1', swap=0,
        rxtx_factor=1.0, vcpu_weight=0, disabled=False, is_public=True, extra_specs={}, projects=[])
    flavor.create()
    for state in fields.InstanceState.ALL:
        if state == fields.InstanceState.DELETED:
            # It is none: what is deleted is not shown.
            continue
        with context.target_cell(everywhere, cell) as there:
            server = objects.Instance(
                there, project_id=project, user_id='somebody', display_name=state, hostname=state, image_ref='',
                vm_state=state, flavor=flavor, old_flavor=None, new_flavor=None, system_metadata={}, metadata={},
                info_cache=objects.InstanceInfoCache(there, network_info=model.NetworkInfo()))
            server.create()
        objects.InstanceMapping(
            everywhere, instance_uuid=server.uuid, cell_mapping=cell, project_id=project, user_id='somebody',
            queued_for_delete=False).create()
        yield state, server.uuid


def listen(port, application=None):
    """A server with a thread for each request."""
    return simple_server.make_server('127.0.0.1', port, application, Server, Silent)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--dir', type=pathlib.Path, required=True)
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--keystone-url', required=True)
    parser.add_argument('--project', required=True)
    args = parser.parse_args()
    # Nova reads them, too.
    del sys.argv[1:]
    scratch = args.dir.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    neighbours = listen(0, empty)
    threading.Thread(target=neighbours.serve_forever, daemon=True).start()
    server = listen(args.port)
    conf = write(args, scratch, f'http://127.0.0.1:{neighbours.server_port}')
    server.set_app(start(conf, args.project))
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print(f'ready http://127.0.0.1:{server.server_port}/v2.1', flush=True)
    server.serve_forever()


if __name__ == '__main__':
    main()
