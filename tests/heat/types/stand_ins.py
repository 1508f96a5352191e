"""Resource types of vendors, as far as the templates of the tests use them.

They take any value for any property, keep nothing but what Heat keeps, and show a property as the attribute of the
same name, `SHOWN` aside. What becomes of one can be told by its name:

    fail        it is refused by its backend, with these words
    slow-N      it takes N seconds
    held-WORD   it takes until there is a file `released-WORD` in the folder of this Heat
    stays-WORD  its deletion takes so long
"""
import os
import pathlib
import re
import time
import uuid

from heat.engine import attributes, properties, resource

SCRATCH = pathlib.Path(os.environ['STOKEHOLD_HEAT_SCRATCH'])

# Of each type its properties, and the attributes that are no properties.
KNOWN = {
    'ESI::Monitoring::MonitoringTarget': (
        'field_name properties resource_id resource_type syncer_properties tenant_id type version', 'link'),
    'ESI::VNF::Instance': (
        'availability_zone config_drive flavor image name networks reboot user_data user_data_format', ''),
    'OS::Contrail::ExistingResource': ('fq_name resource_type', 'name'),
    'OS::Contrail::InstanceIp': ('ip_address name network_id subnet_id virtual_machine_interfaces', ''),
    'OS::Contrail::LogicalInterface': ('name physical_interface type virtual_machine_interfaces vlan', ''),
    'OS::Contrail::NetconfNamedConfigs': ('configs device_ip lock_timeout on_update password port username', ''),
    'OS::Contrail::PhysicalInterface': ('name physical_router', ''),
    'OS::Contrail::PhysicalRouter': (
        'dataplane_ip management_ip name product_name user_credentials vendor_name virtual_routers vnc_managed',
        'fq_name logical_interfaces physical_interfaces'),
    'OS::Contrail::Subnet': ('ip_prefix name virtual_machine_interfaces', ''),
    'OS::Contrail::VirtualMachineInterface': (
        'admin_state_up device_owner name security_groups uuid virtual_machine '
        'virtual_machine_interface_allowed_address_pairs virtual_machine_interface_mac_addresses virtual_networks',
        'fq_name'),
    'OS::Contrail::VirtualNetwork': ('admin_state_up forwarding_mode name route_targets shared uuid', 'fq_name'),
    'OS::Contrail::VnSubnet': (
        'allocation_pools default_gateway dns_nameservers dns_server_address enable_dhcp gateway_is_vrouter '
        'host_routes ip_prefix ipam name network_id ntp_servers', ''),
}

# Of these types not every property is an attribute, too: `get_attr` without a name shows them all.
SHOWN = {'OS::Contrail::VirtualNetwork': 'fq_name name route_targets'}


class StandIn(resource.Resource):
    """Of any of these types."""

    def told(self):
        """The name that says what becomes of it."""
        given = (self.properties.get(key) for key in ('name', 'uuid') if key in self.properties_schema)
        return next((str(name) for name in given if name), self.name)

    @staticmethod
    def refuse(name):
        if 'fail' in name:
            raise ValueError(f'backend refused {name}')

    def handle_create(self):
        name = self.told()
        self.refuse(name)
        own = self.properties.get('uuid') if 'uuid' in self.properties_schema else None
        self.resource_id_set(str(own or uuid.uuid4()))
        if stays := re.search(r'stays-(\w+)', name):
            # A deletion may have no properties to look at.
            self.data_set('stays', stays.group(1))
        return self.until(name)

    @staticmethod
    def until(name):
        """When it is done, and what it waits for."""
        slow, held = re.search(r'slow-(\d+)', name), re.search(r'held-(\w+)', name)
        file = SCRATCH / f'released-{held.group(1)}' if held else None
        return time.monotonic() + (int(slow.group(1)) if slow else 0), file

    @staticmethod
    def check_create_complete(until):
        at, file = until
        return time.monotonic() >= at and (file is None or file.exists())

    def handle_update(self, json_snippet, tmpl_diff, prop_diff):
        name = str(prop_diff.get('name') or '')
        self.refuse(name)
        return self.until(name)

    check_update_complete = check_create_complete

    def handle_delete(self):
        """There is nothing outside; what it waits for."""
        word = self.data().get('stays')
        return SCRATCH / f'released-{word}' if word else None

    @staticmethod
    def check_delete_complete(file):
        return file is None or file.exists()

    def _resolve_attribute(self, name):
        if name in self.properties_schema:
            return self.properties[name]
        if name == 'fq_name':
            return f'default-domain:admin:{self.told()}'
        if name == 'link':
            return f'http://collector/targets/{self.resource_id}'
        return self.told() if name == 'name' else None


def resource_mapping():
    """What Heat asks such a file for."""
    any_value = getattr(properties.Schema, 'ANY', properties.Schema.STRING)
    found = {}
    for name, (known, more) in KNOWN.items():
        known, more = known.split(), more.split()
        shown = SHOWN[name].split() if name in SHOWN else known + more
        found[name] = type(name.replace('::', ''), (StandIn,), {
            'properties_schema': {key: properties.Schema(any_value, update_allowed=True) for key in known},
            'attributes_schema': {key: attributes.Schema(f'{key} of a stand-in') for key in shown},
        })
    return found
