//! The resource types that are known: the vendor's types as stand-ins, and some of Heat's own.

use crate::overrides::Overrides;
use crate::text;
use serde_json::{Map, Value as Json};

/// Type, its properties, its attributes.
const VENDOR: [(&str, &str, &str); 15] = [
    (
        "ESI::Monitoring::MonitoringTarget",
        "field_name properties resource_id resource_type syncer_properties tenant_id type version",
        "link",
    ),
    (
        "ESI::VNF::Instance",
        "availability_zone config_drive flavor image name networks reboot user_data \
         user_data_format",
        "",
    ),
    (
        "ESI::VNF::NetscalerConfig",
        "admin_password admin_username credentials default_gateway init_config internet_port \
         license_code management_gateway management_ip model networks other_password \
         other_username server_id user_password user_username",
        "",
    ),
    (
        "ESI::VNF::NetscalerSyslogServer",
        "acl_logging appflow_logging comment credentials date_format init_config ip_address \
         log_facility log_level management_ip name port_number priority tcp_logging time_zone \
         transport_type user_configurable_log_messages vserver_ip_address",
        "",
    ),
    (
        "ESI::VNF::VyattaConfig",
        "admin_password admin_username credentials default_gateway management_ip networks \
         other_password other_username user_password user_username",
        "",
    ),
    ("OS::Contrail::ExistingResource", "fq_name resource_type", "fq_name name"),
    (
        "OS::Contrail::InstanceIp",
        "ip_address name network_id subnet_id virtual_machine_interfaces",
        "",
    ),
    (
        "OS::Contrail::LogicalInterface",
        "name physical_interface type virtual_machine_interfaces vlan",
        "name",
    ),
    (
        "OS::Contrail::NetconfNamedConfigs",
        "configs device_ip lock_timeout on_update password port username",
        "",
    ),
    ("OS::Contrail::PhysicalInterface", "name physical_router", "name"),
    (
        "OS::Contrail::PhysicalRouter",
        "dataplane_ip management_ip name product_name user_credentials vendor_name \
         virtual_routers vnc_managed",
        "dataplane_ip fq_name logical_interfaces management_ip name physical_interfaces \
         product_name vendor_name virtual_routers vnc_managed",
    ),
    ("OS::Contrail::Subnet", "ip_prefix name virtual_machine_interfaces", "name"),
    (
        "OS::Contrail::VirtualMachineInterface",
        "admin_state_up device_owner name security_groups uuid virtual_machine \
         virtual_machine_interface_allowed_address_pairs virtual_machine_interface_mac_addresses \
         virtual_networks",
        "fq_name virtual_machine_interface_allowed_address_pairs \
         virtual_machine_interface_mac_addresses virtual_networks",
    ),
    (
        "OS::Contrail::VirtualNetwork",
        "admin_state_up forwarding_mode name route_targets shared uuid",
        "fq_name name route_targets",
    ),
    (
        "OS::Contrail::VnSubnet",
        "allocation_pools default_gateway dns_nameservers dns_server_address enable_dhcp \
         gateway_is_vrouter host_routes ip_prefix ipam name network_id ntp_servers",
        "default_gateway ip_prefix ipam name network_id",
    ),
];

/// Heat's own types that need no other service.
const OWN: [(&str, &str, &str); 2] = [
    ("OS::Heat::Value", "type value", "value"),
    (
        "OS::Heat::TestResource",
        "value fail update_replace wait_secs action_wait_secs client_name entity_name \
         attr_wait_secs constraint_prop_secs update_replace_value",
        "output",
    ),
];

/// A resource type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kind {
    /// `OS::Contrail::VirtualNetwork`.
    pub(crate) name: String,
    family: Family,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Family {
    Vendor {
        properties: &'static str,
        attributes: &'static str,
    },
    Own {
        properties: &'static str,
        attributes: &'static str,
    },
    /// Takes any property and has any attribute, with no value unless it is overridden.
    Anything,
}

/// The type of that name, if it is known.
pub(crate) fn kind(name: &str, overrides: &Overrides) -> Option<Kind> {
    let of = |table: &'static [(&'static str, &'static str, &'static str)]| {
        table.iter().find(|row| row.0 == name).map(|row| (row.1, row.2))
    };
    let family = if let Some((properties, attributes)) = of(&VENDOR) {
        Family::Vendor { properties, attributes }
    } else if let Some((properties, attributes)) = of(&OWN) {
        Family::Own { properties, attributes }
    } else if name == "OS::Heat::None" || overrides.names_type(name) {
        Family::Anything
    } else {
        return None;
    };
    Some(Kind { name: name.to_owned(), family })
}

fn lists(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|other| other == word)
}

impl Kind {
    /// Whether the type has a property of this name.
    pub(crate) fn takes(&self, property: &str) -> bool {
        match &self.family {
            Family::Vendor { properties, .. } | Family::Own { properties, .. } => {
                lists(properties, property)
            }
            Family::Anything => true,
        }
    }

    /// Whether `get_attr` may ask for this attribute.
    pub(crate) fn answers(&self, attribute: &str, overrides: &Overrides) -> bool {
        let known = match &self.family {
            Family::Vendor { attributes, .. } | Family::Own { attributes, .. } => {
                attribute == "show" || lists(attributes, attribute)
            }
            Family::Anything => true,
        };
        known || overrides.attribute(&self.name, attribute).is_some()
    }

    /// The attributes of the type, without `show`.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &'static str> {
        match &self.family {
            Family::Vendor { attributes, .. } | Family::Own { attributes, .. } => *attributes,
            Family::Anything => "",
        }
        .split_whitespace()
    }

    /// The value of an attribute of a resource that exists.
    pub(crate) fn attribute(
        &self,
        attribute: &str,
        resource: &str,
        id: &str,
        properties: &Map<String, Json>,
        overrides: &Overrides,
    ) -> Result<Json, String> {
        if let Some(overridden) = overrides.attribute(&self.name, attribute) {
            return overridden;
        }
        Ok(match &self.family {
            Family::Anything => Json::Null,
            Family::Own { .. } => match attribute {
                "value" | "output" => properties.get("value").cloned().unwrap_or_default(),
                _ => Json::Null,
            },
            Family::Vendor { properties: known, .. } if lists(known, attribute) => {
                properties.get(attribute).cloned().unwrap_or_default()
            }
            Family::Vendor { .. } => match attribute {
                "fq_name" => {
                    format!("default-domain:admin:{}", self.called(resource, properties)).into()
                }
                "link" => format!("http://collector/targets/{id}").into(),
                "name" => self.called(resource, properties).into(),
                _ => Json::Null,
            },
        })
    }

    /// The name by which the backend knows the resource.
    pub(crate) fn called(&self, resource: &str, properties: &Map<String, Json>) -> String {
        ["name", "uuid"]
            .into_iter()
            .filter(|key| self.takes(key))
            .filter_map(|key| properties.get(key))
            .find(|value| !matches!(value, Json::Null | Json::Bool(false)) && *value != "")
            .map_or_else(|| resource.to_owned(), text::shown)
    }

    /// Why the backend refuses to make this resource, if it does.
    pub(crate) fn refuses(&self, resource: &str, properties: &Map<String, Json>) -> Option<String> {
        let name = self.called(resource, properties);
        match &self.family {
            Family::Vendor { .. } | Family::Anything if name.contains("fail") => {
                Some(format!("ValueError: resources.{resource}: backend refused {name}"))
            }
            Family::Own { .. } if properties.get("fail") == Some(&Json::Bool(true)) => {
                Some(format!("ValueError: resources.{resource}: Test Resource failed {resource}"))
            }
            _ => None,
        }
    }

    /// How many seconds the backend takes for it: `slow-N` in its name.
    pub(crate) fn seconds(&self, resource: &str, properties: &Map<String, Json>) -> u64 {
        let name = self.called(resource, properties);
        let Some((_, rest)) = name.split_once("slow-") else { return 0 };
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    }

    /// The id of a resource that is made now; `fresh` is a random one.
    pub(crate) fn id(
        &self,
        resource: &str,
        stack: &str,
        properties: &Map<String, Json>,
        overrides: &Overrides,
        fresh: &uuid::Uuid,
    ) -> String {
        if let Some(Ok(id)) = overrides.attribute(&self.name, "get_resource") {
            return text::shown(&id);
        }
        match &self.family {
            Family::Own { .. } => {
                let tail: String = fresh.simple().to_string().chars().take(12).collect();
                format!("{stack}-{resource}-{tail}")
            }
            _ if self.takes("uuid") => match properties.get("uuid") {
                None | Some(Json::Null) => fresh.to_string(),
                Some(uuid) if uuid == "" => fresh.to_string(),
                Some(uuid) => text::shown(uuid),
            },
            _ => fresh.to_string(),
        }
    }

    /// The name of the type's class, as Heat's message of a circle has it.
    pub(crate) fn class(&self) -> String {
        match &self.family {
            Family::Own { .. } => self.name.rsplit("::").next().unwrap_or_default().to_owned(),
            _ => self.name.replace("::", ""),
        }
    }
}
