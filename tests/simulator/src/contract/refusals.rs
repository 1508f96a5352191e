//! What Heat refuses, and in which words.

use super::script::{Script, refusal};
use anyhow::Result;
use serde_json::{Value as Json, json};

const VERSION: &str = "heat_template_version: 2013-05-23\n";
const MALFORMED: &str = "The server could not comply with the request since it is either \
                         malformed or otherwise incorrect.";

pub(super) async fn run(script: &mut Script) -> Result<()> {
    templates(script).await?;
    sections(script).await?;
    references(script).await?;
    parameters(script).await?;
    values(script).await?;
    bodies(script).await?;
    methods(script).await
}

async fn refused(script: &mut Script, body: &Json, kind: &str, message: &str) -> Result<()> {
    let reply = script.send("POST", "/stacks", body).await?;
    let law = format!("refused is {}", body.to_string().chars().take(300).collect::<String>());
    script.law(&law, refusal(&reply), json!([400, kind, message]));
    Ok(())
}

async fn templates(script: &mut Script) -> Result<()> {
    let versions = "2013-05-23, 2014-10-16, 2015-04-30, 2015-10-15, 2016-04-08, 2016-10-14, \
                    2017-02-24, 2017-09-01, 2018-03-02, 2018-08-31, 2021-04-16, newton, ocata, \
                    pike, queens, rocky, wallaby";
    let unknown_version = format!(
        "The template version is invalid: \"heat_template_version: 1999-01-01\". \
         \"heat_template_version\" should be one of: {versions}"
    );
    for (template, kind, message) in [
        (
            "resources: {}",
            "HTTPBadRequest",
            "Template not in valid format: Template format version not found.",
        ),
        ("", "HTTPBadRequest", "Template not in valid format: Template format version not found."),
        (
            "hello",
            "HTTPBadRequest",
            "Template not in valid format: The template is not a JSON object or YAML mapping.",
        ),
        (
            "heat_template_version: 1999-01-01\nresources: {}",
            "InvalidTemplateVersion",
            &unknown_version,
        ),
        (
            "heat_template_version: 2013-05-23\nfoo: {}",
            "StackValidationFailed",
            "The template section is invalid: foo",
        ),
    ] {
        let body = json!({"stack_name": "bad", "template": template});
        refused(script, &body, kind, message).await?;
    }
    let body = json!({"stack_name": "bad", "template": "a: ["});
    let reply = script.send("POST", "/stacks", &body).await?;
    let begins = reply.body["error"]["message"].as_str().is_some_and(|message| {
        message.starts_with("Template not in valid format: Error parsing template [root stack] ")
    });
    script.law(
        "refused is a text that is no YAML",
        json!([reply.status, begins]),
        json!([400, true]),
    );
    Ok(())
}

async fn sections(script: &mut Script) -> Result<()> {
    for (part, message) in [
        (
            "resources:\n  x: {type: OS::No::Such}",
            "The Resource Type (OS::No::Such) could not be found.",
        ),
        ("resources:\n  x: {properties: {}}", "Each resource must contain a type key."),
        (
            "resources:\n  x: {type: OS::Contrail::VirtualNetwork, properties: {bogus: 1}}",
            "Property error: resources.x.properties: Unknown Property bogus",
        ),
        (
            "outputs:\n  o: {description: d}",
            "Output validation error: outputs.o: Each output definition must contain a value key.",
        ),
        (
            "outputs:\n  o: x",
            "Output validation error: outputs.o: Output definitions must be a map. Found a str \
             instead",
        ),
        (
            "outputs:\n  o: {value: {str_replace: abc}}",
            "outputs.o.value.str_replace: Arguments to \"str_replace\" must be a map",
        ),
        (
            "outputs:\n  o: {value: {get_attr: x}}",
            "outputs.o.value.get_attr: Argument to \"get_attr\" must be a list",
        ),
    ] {
        let body = json!({"stack_name": "bad", "template": format!("{VERSION}{part}")});
        refused(script, &body, "StackValidationFailed", message).await?;
    }
    Ok(())
}

async fn references(script: &mut Script) -> Result<()> {
    let network = "type: OS::Contrail::VirtualNetwork";
    for (part, kind, message) in [
        (
            format!("resources:\n  x: {{{network}, properties: {{name: {{get_resource: y}}}}}}"),
            "InvalidTemplateReference",
            "The specified reference \"y\" (in x.Properties.name) is incorrect.",
        ),
        (
            format!(
                "resources:\n  x: {{{network}, properties: {{route_targets: [a, {{get_resource: \
                 q}}]}}}}"
            ),
            "InvalidTemplateReference",
            "The specified reference \"q\" (in x.Properties.route_targets[1]) is incorrect.",
        ),
        (
            format!(
                "resources:\n  x: {{{network}, properties: {{name: {{get_attr: [zz, name]}}}}}}"
            ),
            "InvalidTemplateReference",
            "The specified reference \"zz\" (in x.Properties.name) is incorrect.",
        ),
        (
            format!("resources:\n  x: {{{network}, depends_on: zz}}"),
            "InvalidTemplateReference",
            "The specified reference \"zz\" (in x) is incorrect.",
        ),
        (
            format!("resources:\n  x: {{{network}, properties: {{name: {{get_param: zz}}}}}}"),
            "StackValidationFailed",
            "Property error: resources.x.properties.name: The Parameter (zz) was not provided.",
        ),
        (
            format!(
                "resources:\n  x: {{{network}}}\noutputs:\n  o: {{value: {{get_attr: [x, nope]}}}}"
            ),
            "StackValidationFailed",
            "outputs.o.value.get_attr: The Referenced Attribute (x nope) is incorrect.",
        ),
        (
            "outputs:\n  o: {value: {get_attr: [zz, name]}}".to_owned(),
            "StackValidationFailed",
            "outputs.o.value.get_attr: The specified reference \"zz\" (in unknown) is incorrect.",
        ),
    ] {
        let body = json!({"stack_name": "bad", "template": format!("{VERSION}{part}")});
        refused(script, &body, kind, message).await?;
    }
    let circle = format!(
        "{VERSION}resources:\n  x: {{{network}, depends_on: y}}\n  y: {{{network}, depends_on: x}}"
    );
    let body = json!({"stack_name": "bad", "template": circle});
    let reply = script.send("POST", "/stacks", &body).await?;
    let kind = reply.body["error"]["type"].clone();
    script.law("refused is a circle", kind, "CircularDependencyException");
    Ok(())
}

async fn parameters(script: &mut Script) -> Result<()> {
    let missing = "The Parameter (a) was not provided.";
    for (schema, given, kind, message) in [
        ("{type: string}", json!({}), "UserParameterMissing", missing),
        ("{type: string}", json!({"a": null}), "UserParameterMissing", missing),
        (
            "{type: string}",
            json!({"zz": 1}),
            "UnknownUserParameter",
            "The Parameter (zz) was not defined in template.",
        ),
        ("{type: foo}", json!({}), "InvalidSchemaError", "Invalid type (foo)"),
        ("x", json!({}), "InvalidSchemaError", "Invalid parameter (a), expected a mapping"),
    ] {
        let template = format!("{VERSION}parameters:\n  a: {schema}\n");
        let body = json!({"stack_name": "bad", "template": template, "parameters": given});
        refused(script, &body, kind, message).await?;
    }
    let template = format!("{VERSION}parameters:\n  z: {{type: string}}\n  a: {{type: string}}\n");
    let body = json!({"stack_name": "bad", "template": template});
    let first = "The Parameter (z) was not provided.";
    refused(script, &body, "UserParameterMissing", first).await
}

async fn values(script: &mut Script) -> Result<()> {
    let switch = "'0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'";
    let unrecognized = format!("Unrecognized value 'perhaps', acceptable values are: {switch}");
    for (schema, given, why) in [
        ("{type: boolean}", json!("perhaps"), unrecognized.as_str()),
        ("{type: number}", json!("x"), "could not convert string to float: 'x'"),
        (
            "{type: json}",
            json!("x"),
            "Value must be valid JSON: Expecting value: line 1 column 1 (char 0)",
        ),
        (
            "{type: comma_delimited_list}",
            json!(12),
            "Value must be a comma-delimited list string: 'int' object has no attribute 'split'",
        ),
        (
            "{type: string, constraints: [{allowed_values: [b]}]}",
            json!("x"),
            "\"x\" is not an allowed value [\"b\"]",
        ),
        (
            "{type: number, constraints: [{range: {min: 3, max: 5}}]}",
            json!(7),
            "7 is out of range (min: 3, max: 5)",
        ),
    ] {
        let template = format!("{VERSION}parameters:\n  a: {schema}\n");
        let parameters = json!({ "a": given });
        let body = json!({"stack_name": "bad", "template": template, "parameters": parameters});
        let message = format!("Parameter 'a' is invalid: {why}");
        refused(script, &body, "StackValidationFailed", &message).await?;
    }
    Ok(())
}

async fn bodies(script: &mut Script) -> Result<()> {
    let name = |name: &str| {
        format!(
            "Invalid stack name {name} must contain only alphanumeric or \"_-.\" characters, must \
             start with alpha and must be 255 characters or less."
        )
    };
    let bad = |field: &str, value: Json| {
        let mut body = json!({"stack_name": "bad", "template": VERSION});
        body[field] = value;
        body
    };
    let long = "a".repeat(256);
    for (body, kind, message) in [
        (json!({"template": VERSION}), "HTTPBadRequest", "No stack name specified".to_owned()),
        (json!({"stack_name": "bad"}), "HTTPBadRequest", "No template specified".to_owned()),
        (
            json!("{\"stack_name\": "),
            "HTTPBadRequest",
            "Expecting value: line 1 column 16 (char 15)".to_owned(),
        ),
        (json!([]), "HTTPBadRequest", MALFORMED.to_owned()),
        (json!("null"), "HTTPBadRequest", MALFORMED.to_owned()),
        (json!(""), "HTTPBadRequest", MALFORMED.to_owned()),
        (bad("stack_name", json!("1 bad/name")), "StackValidationFailed", name("1 bad/name")),
        (bad("stack_name", json!(long)), "StackValidationFailed", name(&long)),
        (
            bad("stack_name", json!(5)),
            "StackValidationFailed",
            "Invalid stack name 5, must be a string".to_owned(),
        ),
        (
            bad("timeout_mins", json!("soon")),
            "HTTPBadRequest",
            "Only integer is acceptable by 'timeout_mins'.".to_owned(),
        ),
        (
            bad("timeout_mins", json!(-1)),
            "HTTPBadRequest",
            "Value '-1' is invalid for 'timeout_mins' which only accepts non-negative integer."
                .to_owned(),
        ),
        (
            bad("environment", json!({"foo": {}})),
            "HTTPBadRequest",
            "Environment not in valid format: environment has wrong section \"foo\"".to_owned(),
        ),
        (bad("template", json!(5)), "HTTPBadRequest", MALFORMED.to_owned()),
    ] {
        refused(script, &body, kind, &message).await?;
    }
    let reply = script.send("POST", "/stacks", &bad("disable_rollback", json!("perhaps"))).await?;
    let wanted = json!([400, "ValueError", null]);
    script.law("refused is a switch that is none, without a message", refusal(&reply), wanted);
    let large = format!("{VERSION}#{}", "x".repeat(600_000));
    let message = "Request limit exceeded: Template size (600035 bytes) exceeds maximum allowed \
                   size (524288 bytes).";
    let body = json!({"stack_name": "bad", "template": large});
    refused(script, &body, "RequestLimitExceeded", message).await
}

async fn methods(script: &mut Script) -> Result<()> {
    let wanted = json!([405, "HTTPMethodNotAllowed", MALFORMED]);
    for method in ["PUT", "PATCH", "DELETE"] {
        let reply = script.send(method, "/stacks", &json!({})).await?;
        script.law(&format!("the list has no {method}"), refusal(&reply), wanted.clone());
    }
    let reply = script.send("POST", "/stacks/a/b", &json!({})).await?;
    script.law("a stack has no POST", refusal(&reply), wanted);
    for path in ["/nope", "", "/stacks/", "/stacks/a/b/c/d"] {
        let reply = script.get(path).await?;
        let got = json!([reply.status, reply.body["code"]]);
        script.law(&format!("there is no path {path}"), got, json!([404, "404 Not Found"]));
    }
    Ok(())
}
