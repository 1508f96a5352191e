//! A template, read and checked as Heat checks it before a stack is made.

use super::catalogue::{self, Kind};
use super::functions::{self, Reference};
use super::parameters::{self, Parameter, Schemas};
use super::version::Version;
use super::yaml::Read;
use crate::answer::Refusal;
use crate::overrides::Overrides;
use crate::text;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

/// A template whose sections have the right shape.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The whole text as a value.
    pub(crate) body: Json,
    /// The version of its language.
    pub(crate) version: Version,
    /// Its parameters.
    pub(crate) schemas: Schemas,
    /// Its resources by name.
    pub(crate) resources: BTreeMap<String, Definition>,
    /// Its outputs by key.
    pub(crate) outputs: BTreeMap<String, Output>,
}

/// A resource of a template.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    /// Its type.
    pub(crate) kind: Kind,
    /// Its properties, with the functions in them.
    pub(crate) properties: Map<String, Json>,
    depends_on: Vec<String>,
}

/// An output of a template.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// What it is.
    pub(crate) description: String,
    /// Its value, with the functions in it.
    pub(crate) value: Json,
}

const SECTIONS: [&str; 6] = [
    "heat_template_version",
    "description",
    "parameter_groups",
    "parameters",
    "resources",
    "outputs",
];

const RESOURCE_KEYS: [&str; 9] = [
    "type",
    "properties",
    "metadata",
    "depends_on",
    "deletion_policy",
    "update_policy",
    "description",
    "external_id",
    "condition",
];

impl Template {
    /// Reads the sections.
    pub(crate) fn new(read: Read, overrides: &Overrides) -> Result<Self, Refusal> {
        let version = Version::of(&read.body)?;
        for section in read.body.as_object().into_iter().flat_map(Map::keys) {
            let conditions = section == "conditions" && version.has_conditions();
            if !SECTIONS.contains(&section.as_str()) && !conditions {
                return Err(Refusal::invalid(format!(
                    "The template section is invalid: {section}"
                )));
            }
        }
        let schemas = parameters::schemas(read.body.get("parameters"), &read.parameter_order)?;
        let mut resources = BTreeMap::new();
        for (name, body) in section(&read.body, "resources")? {
            resources.insert(name.clone(), Definition::new(body, overrides)?);
        }
        let mut outputs = BTreeMap::new();
        for (name, body) in section(&read.body, "outputs")? {
            outputs.insert(name.clone(), Output::new(name, body)?);
        }
        Ok(Self { body: read.body, version, schemas, resources, outputs })
    }

    /// The description that a stack of this template shows.
    pub(crate) fn description(&self) -> Json {
        self.body.get("description").cloned().unwrap_or_else(|| "No description".into())
    }

    /// Checks what the parts say about each other; `values` are those of the parameters.
    pub(crate) fn check(
        &self,
        values: &BTreeMap<String, Parameter>,
        overrides: &Overrides,
    ) -> Result<(), Refusal> {
        self.order()?;
        for (name, definition) in &self.resources {
            self.check_resource(name, definition, values, overrides)?;
        }
        for (name, output) in &self.outputs {
            for (path, found) in functions::references(&output.value, self.version) {
                let place = format!("outputs.{name}.value{path}");
                match found {
                    Err(why) => return Err(Refusal::invalid(format!("{place}: {why}"))),
                    // Like Heat, which finds out when it computes the output.
                    Ok(Reference::Resource(_) | Reference::Parameter(_)) => {}
                    Ok(Reference::Attribute(resource, attribute)) => {
                        self.check_attribute(&place, resource, attribute, overrides)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn check_resource(
        &self,
        name: &str,
        definition: &Definition,
        values: &BTreeMap<String, Parameter>,
        overrides: &Overrides,
    ) -> Result<(), Refusal> {
        for (property, value) in &definition.properties {
            for (path, found) in functions::references(value, self.version) {
                let place = format!("resources.{name}.properties.{property}{path}");
                match found {
                    Err(why) => return Err(Refusal::invalid(format!("{place}: {why}"))),
                    Ok(Reference::Attribute(resource, attribute)) => {
                        self.check_attribute(&place, resource, attribute, overrides)?;
                    }
                    Ok(Reference::Parameter(parameter))
                        if !values.contains_key(parameter) && !parameter.starts_with("OS::") =>
                    {
                        return Err(Refusal::invalid(format!(
                            "Property error: resources.{name}.properties.{property}: The \
                             Parameter ({parameter}) was not provided."
                        )));
                    }
                    Ok(_) => {}
                }
            }
            if !definition.kind.takes(property) {
                return Err(Refusal::invalid(format!(
                    "Property error: resources.{name}.properties: Unknown Property {property}"
                )));
            }
        }
        Ok(())
    }

    fn check_attribute(
        &self,
        place: &str,
        resource: &str,
        attribute: Option<&str>,
        overrides: &Overrides,
    ) -> Result<(), Refusal> {
        let Some(definition) = self.resources.get(resource) else {
            return Err(Refusal::invalid(format!(
                "{place}.get_attr: The specified reference \"{resource}\" (in unknown) is \
                 incorrect."
            )));
        };
        match attribute {
            Some(attribute) if !definition.kind.answers(attribute, overrides) => {
                Err(Refusal::invalid(format!(
                    "{place}.get_attr: The Referenced Attribute ({resource} {attribute}) is \
                     incorrect."
                )))
            }
            _ => Ok(()),
        }
    }

    /// The resources that one needs, with the place that says so.
    fn needs(&self, name: &str) -> Vec<(String, String)> {
        let Some(definition) = self.resources.get(name) else { return Vec::new() };
        let mut needs: Vec<(String, String)> =
            definition.depends_on.iter().map(|other| (other.clone(), name.to_owned())).collect();
        for (property, value) in &definition.properties {
            for (path, found) in functions::references(value, self.version) {
                if let Ok(Reference::Resource(other) | Reference::Attribute(other, _)) = found {
                    needs.push((other.to_owned(), format!("{name}.Properties.{property}{path}")));
                }
            }
        }
        needs
    }

    /// The names of the resources that need this one.
    pub(crate) fn needed_by(&self, name: &str) -> Vec<String> {
        let needs_it = |other: &&String| self.needs(other).iter().any(|(need, _)| need == name);
        self.resources.keys().filter(needs_it).cloned().collect()
    }

    /// The resources, each after all that it needs.
    pub(crate) fn order(&self) -> Result<Vec<String>, Refusal> {
        let mut open: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for name in self.resources.keys() {
            let needs = self.needs(name);
            if let Some((other, place)) =
                needs.iter().find(|(other, _)| !self.resources.contains_key(other))
            {
                return Err(Refusal::bad(
                    "InvalidTemplateReference",
                    format!("The specified reference \"{other}\" (in {place}) is incorrect."),
                ));
            }
            open.insert(name, needs.into_iter().map(|(other, _)| other).collect());
        }
        let mut order = Vec::new();
        while !open.is_empty() {
            let free: Vec<String> = open
                .iter()
                .filter(|(_, needs)| needs.is_empty())
                .map(|(name, _)| (*name).to_owned())
                .collect();
            if free.is_empty() {
                return Err(self.circle(&open));
            }
            open.retain(|name, _| !free.iter().any(|done| done == name));
            for needs in open.values_mut() {
                needs.retain(|need| !free.contains(need));
            }
            order.extend(free);
        }
        Ok(order)
    }

    fn circle(&self, open: &BTreeMap<&str, BTreeSet<String>>) -> Refusal {
        let named = |name: &str| {
            let class = self.resources.get(name).map(|known| known.kind.class());
            format!("{} \"{name}\"", class.unwrap_or_default())
        };
        let circle: Vec<String> = open
            .iter()
            .map(|(name, needs)| {
                let needs: Vec<String> = needs.iter().map(|need| named(need)).collect();
                format!("{}: {{{}}}", named(name), needs.join(", "))
            })
            .collect();
        Refusal::bad(
            "CircularDependencyException",
            format!("Circular Dependency Found: {{{}}}", circle.join(", ")),
        )
    }
}

fn section<'a>(body: &'a Json, name: &str) -> Result<&'a Map<String, Json>, Refusal> {
    static NONE: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);
    match body.get(name) {
        None | Some(Json::Null) => Ok(&NONE),
        Some(Json::Object(section)) => Ok(section),
        Some(other) if name == "resources" => Err(Refusal::invalid(format!(
            "'{}' object has no attribute 'items'",
            text::type_name(other)
        ))),
        Some(_) => Err(Refusal::wordless("AttributeError")),
    }
}

impl Definition {
    fn new(body: &Json, overrides: &Overrides) -> Result<Self, Refusal> {
        let Json::Object(body) = body else {
            return Err(Refusal::invalid(format!(
                "\"resources\" must contain a map of resource maps. Found a [<class '{}'>] instead",
                text::type_name(body)
            )));
        };
        if body.keys().any(|key| !RESOURCE_KEYS.contains(&key.as_str())) {
            // The placeholder is in Heat's own message.
            let message = "\"%s\" is not a valid keyword inside a foo definition";
            return Err(Refusal::invalid(message));
        }
        let Some(name) = body.get("type").filter(|kind| !kind.is_null()).map(text::shown) else {
            return Err(Refusal::invalid("Each resource must contain a type key."));
        };
        let Some(kind) = catalogue::kind(&name, overrides) else {
            return Err(Refusal::invalid(format!(
                "The Resource Type ({name}) could not be found."
            )));
        };
        let properties = match body.get("properties") {
            Some(Json::Object(properties)) => properties.clone(),
            _ => Map::new(),
        };
        let depends_on = match body.get("depends_on") {
            Some(Json::String(name)) => vec![name.clone()],
            Some(Json::Array(names)) => names.iter().map(text::shown).collect(),
            _ => Vec::new(),
        };
        Ok(Self { kind, properties, depends_on })
    }
}

impl Output {
    fn new(name: &str, body: &Json) -> Result<Self, Refusal> {
        let invalid = |why: String| {
            Refusal::invalid(format!("Output validation error: outputs.{name}: {why}"))
        };
        let Json::Object(body) = body else {
            return Err(invalid(format!(
                "Output definitions must be a map. Found a {} instead",
                text::type_name(body)
            )));
        };
        let Some(value) = body.get("value") else {
            return Err(invalid("Each output definition must contain a value key.".into()));
        };
        let description = match body.get("description") {
            None | Some(Json::Null) => "No description given".into(),
            Some(description) => text::shown(description),
        };
        Ok(Self { description, value: value.clone() })
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
