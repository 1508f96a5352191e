#![allow(clippy::unwrap_used)]
use super::*;
use crate::heat::yaml;
use serde_json::json;

fn template(text: &str) -> Template {
    let text = format!("heat_template_version: 2013-05-23\n{text}");
    Template::new(yaml::read(&json!(text)).unwrap(), &Overrides::default()).unwrap()
}

#[test]
fn each_resource_comes_after_all_that_it_needs() {
    let template = template(
        "resources:
  a: {type: OS::Heat::None, depends_on: [c]}
  b: {type: OS::Heat::None}
  c: {type: OS::Heat::None, properties: {x: {get_attr: [d, y]}}}
  d: {type: OS::Heat::None, properties: {x: [{get_resource: b}]}}",
    );
    assert_eq!(template.order().unwrap(), ["b", "d", "c", "a"]);
    assert_eq!(template.needed_by("d"), ["c"]);
    assert_eq!(template.needed_by("a"), Vec::<String>::new());
}

#[test]
fn a_circle_is_refused_with_its_members() {
    let template = template(
        "resources:
  x: {type: OS::Contrail::VirtualNetwork, depends_on: y}
  y: {type: OS::Heat::Value, properties: {value: {get_resource: x}}}",
    );
    let wanted = Refusal::bad(
        "CircularDependencyException",
        "Circular Dependency Found: {OSContrailVirtualNetwork \"x\": {Value \"y\"}, Value \"y\": \
         {OSContrailVirtualNetwork \"x\"}}",
    );
    assert_eq!(template.order(), Err(wanted));
}

#[test]
fn empty_sections_are_no_sections() {
    let template = template("resources:\noutputs:\nparameters:\n");
    assert!(template.check(&BTreeMap::new(), &Overrides::default()).is_ok());
    assert_eq!(template.description(), "No description");
}
