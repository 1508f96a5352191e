#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::value::Setting;
use super::*;

fn flags(values: &[(&str, &str)]) -> Flags {
    let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Flags { values, ..Flags::default() }
}

fn environment(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn from_file(text: &str) -> Result<Settings> {
    Settings::from_sources(&Flags::default(), &BTreeMap::new(), Some(("s.toml", text)))
}

fn refusal(text: &str) -> String {
    format!("{:#}", from_file(text).expect_err("accepted"))
}

/// A value for a row that is not its default.
fn other_than_default(row: &Row, nth: u64) -> String {
    match (row.name, row.form) {
        ("log_format", _) => if nth == 1 { "human" } else { "json" }.to_owned(),
        ("monitor_out", _) => format!("kafka://kafka{nth}:9092"),
        ("backoff_ms_max" | "breaker_ms_max" | "instances_max", _) => (9000 + nth).to_string(),
        (_, Form::Number(least, _)) => (least + nth).to_string(),
        (_, Form::Text | Form::Secret) => format!("./other{nth}"),
    }
}

fn shown(settings: &Settings, name: &str) -> String {
    let text = format!("{settings:#?}");
    let lines = text.lines().skip_while(|line| !line.starts_with(&format!("    {name}: ")));
    lines.take_while(|line| !line.starts_with("    }")).take(3).collect()
}

#[test]
fn every_setting_is_taken_from_flag_before_environment_before_file_before_default() {
    for row in ROWS.iter().filter(|row| row.form != Form::Secret) {
        let [one, two, three] = [1, 2, 3].map(|nth| other_than_default(row, nth));
        let line = match row.form {
            Form::Number(..) => format!("{} = {one}", row.name),
            Form::Text | Form::Secret => format!("{} = \"{one}\"", row.name),
        };
        let no_flags = Flags::default();
        let variables = environment(&[(&row.variable(), &two)]);
        let set = flags(&[(row.name, &three)]);
        let file = Some(("s.toml", line.as_str()));
        let alone = |name: &str, value: &str| {
            let only = Settings::from_sources(&flags(&[(name, value)]), &BTreeMap::new(), None);
            shown(&only.unwrap(), name)
        };
        let read = |flags: &Flags, variables: &BTreeMap<String, String>| {
            shown(&Settings::from_sources(flags, variables, file).unwrap(), row.name)
        };
        assert_eq!(read(&no_flags, &BTreeMap::new()), alone(row.name, &one), "{}", row.name);
        assert_eq!(read(&no_flags, &variables), alone(row.name, &two), "{}", row.name);
        assert_eq!(read(&set, &variables), alone(row.name, &three), "{}", row.name);
    }
}

#[test]
fn defaults_fit_their_own_bounds_and_each_other() {
    let settings = Settings::from_sources(&Flags::default(), &BTreeMap::new(), None).unwrap();
    assert_eq!(settings.store, StorePlace::Embedded("./stokehold-data".into()));
    assert_eq!(settings.handler_slots, 8);
    assert_eq!(settings.memory_bytes_max, 64 << 20);
    assert!(settings.schemas.is_none() && settings.gohan_token.is_none());
    assert!(settings.plugins.is_empty());
}

#[test]
fn a_refusal_names_source_and_key_and_says_what_is_allowed() {
    let cases = [
        ("handler_slot = 1", "s.toml: unknown key handler_slot; known are store,"),
        (
            "handler_slots = 0",
            "s.toml: handler_slots must be a whole number from 1 to 4096, not \"0\"",
        ),
        ("attempts_max = -1", "s.toml: attempts_max must be a whole number from 1 to 1000"),
        (
            "call_ms_max = \"1\"",
            "must be a whole number from 1 to 86400000, not a value of type string",
        ),
        ("store = 3", "s.toml: store must be a text in quotes, not a value of type integer"),
        ("store = \"http://a:1\"", "must be a folder, as PATH or embedded:PATH, or etcd://"),
        (
            "monitor_out = \"a:9092\"",
            "s.toml: monitor_out must be the brokers of a Kafka, as kafka://a:9092,b:9092",
        ),
        ("monitor_out = \"kafka://a\"", "must be the brokers of a Kafka"),
        ("monitor_out = \"kafka://a:9092,\"", "must be the brokers of a Kafka"),
        ("handlers = \"\"", "s.toml: handlers must be a path, not \"\""),
        ("log_format = \"xml\"", "s.toml: log_format must be human or json, not \"xml\""),
        ("schemas = \"ftp://a/b\"", "must be a file, or an address as http://gohan:9091"),
        (
            "backoff_ms_min = 70000",
            "backoff_ms_min (70000) must not be above backoff_ms_max (60000)",
        ),
        (
            "handler_slots = 40",
            "instances_max (64) must be at least handler_slots + probes_max (72)",
        ),
        ("plugins = 1", "s.toml: plugins must be tables, as [plugins.heat_worker]"),
        ("plugins.heat = 1", "s.toml: plugins.heat must be a table, as [plugins.heat]"),
        ("[plugins.Heat]", "s.toml: plugins.Heat: \"Heat\" is no name of a plugin"),
        (
            "[plugins.a]\nhtp = []",
            "s.toml: plugins.a.htp: unknown key; known are http, http_ca_file,",
        ),
        ("[plugins.a]\nhttp = \"b:1\"", "plugins.a.http: must be a list of hosts"),
        ("[plugins.a]\nhttp = [1]", "plugins.a.http: must be a list of hosts"),
        ("[plugins.a]\nhttp = [\"b\"]", "\"b\" is no host:port, as 127.0.0.1:8004"),
        (
            "[plugins.a]\nhttp = [\"ftp://b:1\"]",
            "may name the scheme http:// or https://, no other",
        ),
        ("[plugins.a]\nhttp = [\"http://b:1/v1\"]", "is no host:port"),
        (
            "[plugins.a]\nhttp = [\"get b:1\"]",
            "must begin with methods in capitals, as \"GET,POST b:1\"",
        ),
        ("[plugins.a]\nudp = \"b:1\"", "plugins.a.udp: must be a list of addresses"),
        ("[plugins.a]\nudp = [\"b\"]", "\"b\" is no host:port, as 10.0.0.0/8:161"),
        ("[plugins.a]\ntcp = [\"b:1-x\"]", "is no host:port, as 10.0.0.0/8:161"),
        ("[plugins.a]\nhttp_ca_file = 1", "plugins.a.http_ca_file must be a path in quotes"),
        ("[plugins.a]\nsecrets = 1", "plugins.a.secrets must be a table of tables"),
        ("[plugins.a]\nsecrets.k = \"hush\"", "plugins.a.secrets.k must be a table, as { file ="),
        ("[plugins.a]\nsecrets.k = { file = \"f\" }", "secrets.k goes nowhere: set inject ="),
        ("[plugins.a]\nsecrets.k = { inject = [\"b:1\"] }", "secrets.k must be a table, as"),
        (
            "[plugins.a]\nconfig.k = { file = \"\" }",
            "config.k must be a text in quotes, or { file =",
        ),
        ("[plugins.a]\nhttp = [\"b:0\"]", "is no host:port"),
        ("[plugins.a]\nconfig = 1", "plugins.a.config must be a table, as { key = \"value\" }"),
        ("[plugins.a.config]\nk = 1", "s.toml: plugins.a.config.k must be a text in quotes"),
        (
            "[plugins.a]\ncall_ms_max = 0",
            "s.toml: plugins.a.call_ms_max must be a whole number from 1 to 86400000",
        ),
        (
            "[plugins.a]\nmemory_bytes_max = 4096",
            "plugins.a.memory_bytes_max must be a whole number from 1048576 to 4294967296",
        ),
    ];
    for (text, expected) in cases {
        let said = refusal(text);
        assert!(said.contains(expected), "{text:?} gave {said:?}");
    }
}

#[test]
fn a_refused_flag_or_variable_is_named_as_it_was_spelled() {
    let none = BTreeMap::new();
    let flag = Settings::from_sources(&flags(&[("lease_ms", "soon")]), &none, None);
    assert_eq!(
        flag.unwrap_err().to_string(),
        "--lease-ms must be a whole number from 1000 to 86400000, not \"soon\""
    );
    let variables = environment(&[("STOKEHOLD_LEASE_MS", "5")]);
    let variable = Settings::from_sources(&Flags::default(), &variables, None);
    assert!(variable.unwrap_err().to_string().starts_with("STOKEHOLD_LEASE_MS must be"));
}

#[test]
fn secrets_are_shown_by_nothing() {
    let text = "gohan_token = \"hush\"\n[plugins.a.config]\npassword = \"hush\"";
    let settings = from_file(text).unwrap();
    assert!(!format!("{settings:?} {:#?}", settings.plugin("a")).contains("hush"));
    assert_eq!(settings.gohan_token.unwrap().reveal(), "hush");
    for broken in [
        "[plugins.a.secrets.t]\nhush = \"hush\"",
        "[plugins.a.secrets.t]\nfile = { x = \"hush\" }\ninject = [\"a:1\"]",
        "[plugins.a.config]\npassword = { file = [\"hush\"] }",
        "gohan_token = \"hush",
        "gohan_token = [\"hush\"]",
        "[plugins.a.config]\npassword = [\"hush\"]",
        "[plugins.a.config]\npassword = hush",
    ] {
        assert!(!refusal(broken).contains("hush"), "{}", refusal(broken));
    }
    assert!(refusal("log = \"info\"\n= 3").starts_with("s.toml, line 2: "));
    let flag = Flags { config: vec!["hush".into()], ..Flags::default() };
    let said = Settings::from_sources(&flag, &BTreeMap::new(), None).unwrap_err().to_string();
    assert!(said.starts_with("--config must be plugin.key=value") && !said.contains("hush"));
}

fn text(source: &Source) -> Option<&str> {
    match source {
        Source::Text(text) => Some(text.reveal()),
        Source::File(_) | Source::Variable(_) => None,
    }
}

#[test]
fn grants_are_spelled_in_one_way_whoever_wrote_them() {
    let file = "
        [plugins.a]
        http = [\"GET,POST  HTTPS://Heat:1 local\", \"heat:2 local\"]
        udp = [\"10.0.0.0/8:161-162\", \"[FD00::/8]:161\", \"Switch:161\"]
        tcp = [\"b:1\"]";
    let why = refusal(file);
    assert!(why.contains("may name the scheme http:// or https://"), "{why}");
    let a = from_file(&file.replace("HTTPS", "https")).unwrap().plugin("a");
    assert_eq!(a.http, ["GET,POST https://heat:1 local", "heat:2 local"].map(str::to_owned).into());
    assert_eq!(a.http_places(), ["heat:1", "heat:2"].into());
    let udp = ["10.0.0.0/8:161-162", "[fd00::/8]:161", "switch:161"].map(str::to_owned);
    assert_eq!(a.udp, udp.into());
    let flags = Flags {
        grant_udp: vec!["a=b:1".to_owned()],
        grant_tcp: vec!["a=c:1".to_owned()],
        ..Flags::default()
    };
    let settings = Settings::from_sources(&flags, &BTreeMap::new(), None).unwrap();
    let a = settings.plugin("a");
    assert_eq!((a.udp, a.tcp), (["b:1".to_owned()].into(), ["c:1".to_owned()].into()));
    for (flags, expected) in [
        (Flags { grant_udp: vec!["b:1".to_owned()], ..Flags::default() }, "--grant-udp must be"),
        (
            Flags { grant_tcp: vec!["a=b".to_owned()], ..Flags::default() },
            "--grant-tcp: \"b\" is no",
        ),
    ] {
        let why = Settings::from_sources(&flags, &BTreeMap::new(), None).unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn a_variable_that_a_plugins_value_is_kept_in_is_no_slip_whatever_its_name() {
    let file = "[plugins.a]\nconfig.k = { env = \"STOKEHOLD_PLUGIN_TOKEN\" }\n\
                secrets.s = { env = \"STOKEHOLD_X\", inject = [\"b:1\"] }";
    let variables = environment(&[("STOKEHOLD_PLUGIN_TOKEN", "x"), ("STOKEHOLD_X", "y")]);
    let settings = Settings::from_sources(&Flags::default(), &variables, Some(("s", file)));
    let settings = settings.unwrap();
    assert_eq!(settings.unknown_variables, Vec::<String>::new());
    let kept = Source::Variable("STOKEHOLD_PLUGIN_TOKEN".to_owned());
    assert_eq!(settings.plugin("a").config, [("k".to_owned(), kept)].into());
}

#[test]
fn grants_add_up_and_config_is_overlaid() {
    let file = "
        [plugins.heat_worker]
        http = [\"Heat:8004\"]
        call_ms_max = 5
        config = { heat_url = \"file\", user = \"file\", region = \"file\" }
        [plugins.heat]";
    let variables = environment(&[
        ("STOKEHOLD_PLUGIN_HEAT_WORKER_USER", "variable"),
        ("STOKEHOLD_PLUGIN_HEAT_WORKER_HEAT_URL", "variable"),
        ("STOKEHOLD_PLUGIN_HEAT_USER", "other"),
        ("STOKEHOLD_SETTINGS", "s.toml"),
        ("STOKEHOLD_SLOTS", "1"),
        ("HOME", "/"),
    ]);
    let flags = Flags {
        grant_http: vec!["heat_worker=127.0.0.1:1".into(), "prober=[::1]:2".into()],
        config: vec!["heat_worker.heat_url=http://a.b=c".into()],
        ..Flags::default()
    };
    let settings = Settings::from_sources(&flags, &variables, Some(("s.toml", file))).unwrap();
    let heat = settings.plugin("heat_worker");
    assert_eq!(heat.http, ["127.0.0.1:1", "heat:8004"].map(str::to_owned).into());
    let config = |key| heat.config.get(key).and_then(text);
    assert_eq!(config("heat_url"), Some("http://a.b=c"));
    assert_eq!((config("user"), config("region")), (Some("variable"), Some("file")));
    assert_eq!(heat.bounds, [("call_ms_max".to_owned(), 5)].into());
    assert_eq!(text(&settings.plugin("heat").config["user"]), Some("other"));
    assert!(settings.plugin("prober").http.contains("[::1]:2"));
    assert_eq!(settings.plugin("unheard_of"), Plugin::default());
    assert_eq!(settings.unknown_variables, ["STOKEHOLD_SLOTS"]);
}

#[test]
fn a_variable_for_a_plugin_that_nobody_mentions_is_refused() {
    let variables = environment(&[("STOKEHOLD_PLUGIN_HEAT_WORKER_USER", "x")]);
    let said = Settings::from_sources(&Flags::default(), &variables, None).unwrap_err().to_string();
    assert!(said.contains("is for a plugin that nothing else mentions"), "{said}");
}

#[test]
fn who_runs_no_plugin_is_not_troubled_by_what_is_said_about_plugins() {
    let variables = environment(&[("STOKEHOLD_PLUGIN_HEAT_WORKER_USER", "x")]);
    let file = "lease_ms = 2000\n[plugins.a]\nhttp = [\"no port\"]";
    let read = |file| Settings::without_plugins(&Flags::default(), &variables, Some(("s", file)));
    let settings = read(file).unwrap();
    assert_eq!((settings.lease_ms, settings.plugins.len()), (2000, 0));
    assert!(read("lease_ms = 1").is_err());
}

#[test]
fn gohan_s_path_is_added_where_the_address_has_none() {
    let parse = |text| SchemaSource::parse(text).unwrap();
    let url = |text: &str| SchemaSource::Url(text.to_owned());
    assert_eq!(parse("http://gohan:9091"), url("http://gohan:9091/gohan/v0.1/schemas"));
    assert_eq!(parse("https://gohan/"), url("https://gohan/gohan/v0.1/schemas"));
    assert_eq!(parse("http://proxy/a/schemas"), url("http://proxy/a/schemas"));
    assert_eq!(parse("a/schemas.json"), SchemaSource::File("a/schemas.json".into()));
    let text = "schemas = \"http://me:hush@gohan\"";
    let read = Settings::from_sources(&Flags::default(), &BTreeMap::new(), Some(("s", text)));
    let why = format!("{:#}", read.unwrap_err());
    assert!(why.contains("without user and password") && !why.contains("hush"), "{why}");
}
