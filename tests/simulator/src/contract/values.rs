//! How parameters are taken and shown, and what functions give.

use super::script::{Script, outputs, status};
use anyhow::Result;
use serde_json::json;
use std::fmt::Write;

const FUNCTIONS: &str = "
heat_template_version: 2013-05-23
parameters:
  j: {type: json, default: {}}
  s: {type: string, default: hello}
  l: {type: comma_delimited_list, default: 'a,b'}
  n: {type: number, default: 3}
  b: {type: boolean, default: true}
resources:
  x:
    type: OS::Contrail::VirtualNetwork
    properties: {uuid: the-id, name: net, route_targets: ['1:2', '3:4']}
outputs:
  path: {value: {get_param: [j, a, 0]}}
  no_path: {value: {get_param: [j, zz]}}
  text: {value: {get_param: s}}
  list: {value: {get_param: l}}
  item: {value: {get_param: [l, 1]}}
  number: {value: {get_param: n}}
  boolean: {value: {get_param: b}}
  id: {value: {get_resource: x}}
  attribute: {value: {get_attr: [x, route_targets, 0]}}
  no_item: {value: {get_attr: [x, route_targets, 9]}}
  fq_name: {value: {get_attr: [x, fq_name]}}
  name: {value: {get_attr: [x, name]}}
  show: {value: {get_attr: [x, show]}}
  replaced:
    value: {str_replace: {template: 'a-b', params: {a: {get_param: n}, b: {get_param: b}}}}
  longest: {value: {str_replace: {template: 'aXb', params: {aXb: 1, a: 2}}}}
  nothing: {value: {str_replace: {template: 'a', params: {a: ~}}}}
  joined: {value: {list_join: ['-', {get_param: l}]}}
  not_joined: {value: {list_join: ['-', [a, 1]]}}
  not_replaced: {value: {str_replace: {template: 'a', params: {a: {get_param: j}}}}}
  no_template: {value: {str_replace: {template: 5, params: {a: 1}}}}
  no_list: {value: {list_join: ['-', abc]}}
  no_parameter: {value: {get_param: zz}}
  no_resource: {value: {get_resource: zz}}
  nested: {value: [{get_param: s}, {k: {get_param: n}}]}
  two_keys: {value: {get_param: s, x: y}}
  plain: {value: {foo: bar}}
  null_value: {value: ~}
  stack_name: {value: {get_param: 'OS::stack_name'}}
";

const LATER: &str = "
heat_template_version: 2015-10-15
parameters:
  j: {type: json}
resources:
  x: {type: OS::Contrail::VirtualNetwork, properties: {name: net, route_targets: []}}
outputs:
  all: {value: {get_attr: [x]}}
  json: {value: {str_replace: {template: 'a', params: {a: {get_param: j}}}}}
  lists: {value: {list_join: ['-', [a], [b, {c: 1}]]}}
  split: {value: {str_split: [',', 'a,b']}}
";

pub(super) async fn run(script: &mut Script) -> Result<()> {
    let given = json!({"parameters": {"j": {"a": ["q"]}, "n": "7", "l": ["p", "q"], "b": "yes"}});
    let (_, shown) = script.make("functions", FUNCTIONS, given).await?;
    let wanted = json!({
        "path": "q", "no_path": "", "text": "hello", "list": ["p", "q"], "item": "q",
        "number": 7, "boolean": true, "id": "the-id", "attribute": "1:2", "no_item": null,
        "fq_name": "default-domain:admin:net", "name": "net", "show": null, "replaced": "7-True",
        "longest": "1", "nothing": "", "joined": "p-q",
        "not_joined": {"error": "Items to join must be strings not 1"},
        "not_replaced": {
            "error": "\"str_replace\" params must be strings or numbers, param a is not valid",
        },
        "no_template": {"error": "\"str_replace\" template must be a string"},
        "no_list": {"error": "\"list_join\" must operate on a list"},
        "no_parameter": {"error": "The Parameter (zz) was not provided."},
        "no_resource": {"error": "The specified reference \"zz\" (in unknown) is incorrect."},
        "nested": ["hello", {"k": 7}], "two_keys": {"get_param": "s", "x": "y"},
        "plain": {"foo": "bar"}, "null_value": null, "stack_name": script.name("functions"),
    });
    let got = outputs(&shown);
    for (key, wanted) in wanted.as_object().into_iter().flatten() {
        script.law(&format!("output {key}"), got[key].clone(), wanted.clone());
    }
    let (_, shown) =
        script.make("later", LATER, json!({"parameters": {"j": {"z": 1, "a": [1]}}})).await?;
    script.law(
        "a later version computes more",
        outputs(&shown),
        json!({
            "all": {"fq_name": "default-domain:admin:net", "route_targets": [], "name": "net"},
            "json": "{\"a\": [1], \"z\": 1}", "lists": "a-b-{\"c\": 1}", "split": ["a", "b"],
        }),
    );
    parameters(script).await?;
    let (_, shown) = script
        .make(
            "environ",
            FUNCTIONS,
            json!({"environment": {
                "parameters": {"s": "from there"}, "parameter_defaults": {"n": 9, "unknown": 1},
            }}),
        )
        .await?;
    let got = json!([shown["parameters"]["s"], shown["parameters"]["n"]]);
    script.law("an environment gives parameters", got, json!(["from there", "9"]));
    let template = json!({"heat_template_version": "2013-05-23"});
    let name = script.name("object");
    let body = json!({"stack_name": name, "template": template, "disable_rollback": "false"});
    let reply = script.send("POST", "/stacks", &body).await?;
    script.law("a template can be an object", reply.status, 201);
    script.made(&reply);
    Ok(())
}

async fn parameters(script: &mut Script) -> Result<()> {
    let kinds = ["string", "number", "boolean", "comma_delimited_list", "json"];
    let table = [
        ("string", json!(12), json!("12"), "12"),
        ("string", json!(true), json!("True"), "True"),
        ("string", json!([{"a": "b"}]), json!("[{'a': 'b'}]"), "[{'a': 'b'}]"),
        ("string", json!({"k": [1, null]}), json!("{'k': [1, None]}"), "{'k': [1, None]}"),
        ("number", json!("1.50"), json!(1.5), "1.5"),
        ("number", json!("12"), json!(12), "12"),
        ("boolean", json!("off"), json!(false), "False"),
        ("comma_delimited_list", json!("a, b"), json!(["a", " b"]), "a, b"),
        ("comma_delimited_list", json!(["a", 1]), json!(["a", "1"]), "a,1"),
        ("comma_delimited_list", json!(""), json!([]), ""),
        ("json", json!("[1,2]"), json!([1, 2]), "[1, 2]"),
        ("json", json!({"k": [1, null]}), json!({"k": [1, null]}), "{\"k\": [1, null]}"),
    ];
    for kind in kinds {
        let rows: Vec<_> = table.iter().filter(|row| row.0 == kind).enumerate().collect();
        let mut template = String::from("heat_template_version: 2013-05-23\nparameters:\n");
        for (index, _) in &rows {
            let _ = writeln!(template, "  p{index}: {{type: {kind}}}");
        }
        template.push_str("outputs:\n");
        for (index, _) in &rows {
            let _ = writeln!(template, "  p{index}: {{value: {{get_param: p{index}}}}}");
        }
        let mut given = json!({});
        for (index, row) in &rows {
            given[format!("p{index}")] = row.1.clone();
        }
        let name = format!("parameters_{kind}");
        let (_, shown) = script.make(&name, &template, json!({ "parameters": given })).await?;
        for (index, (_, given, value, text)) in rows {
            let key = format!("p{index}");
            let got = json!([outputs(&shown)[&key], shown["parameters"][&key]]);
            script.law(&format!("a {kind} takes {given}"), got, json!([value, text]));
        }
        let done = json!(["CREATE_COMPLETE", "Stack CREATE completed successfully"]);
        script.law("a stack without resources is made", status(&shown), done);
    }
    Ok(())
}
