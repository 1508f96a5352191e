//! Settings as flags, made from the table of settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::settings::{FILE, Flags, ROWS, Row};

/// All settings, for the command that runs a host.
#[derive(Clone, Debug, Default)]
pub(super) struct AllFlags(pub(super) Named);

/// The settings that matter to one plugin alone, for the commands that look at a plugin's file.
#[derive(Clone, Debug, Default)]
pub(super) struct PluginFlags(pub(super) Named);

/// The settings that say where things are, for the commands that look at them.
#[derive(Clone, Debug, Default)]
pub(super) struct PlaceFlags(pub(super) Named);

/// The setting that says where the store is, for the commands that need no schemas.
#[derive(Clone, Debug, Default)]
pub(super) struct StoreFlags(pub(super) Named);

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    /// The file to read, if it names one.
    pub(super) file: Option<PathBuf>,
    /// The rest.
    pub(super) flags: Flags,
}

impl Named {
    /// Whether the command line says nothing of what a plugin may do.
    pub(super) fn is_silent(&self) -> bool {
        let Flags { values, grant_http, grant_udp, grant_tcp, config, .. } = &self.flags;
        let says = values.keys().any(|name| name != "cache");
        let lists = [grant_http, grant_udp, grant_tcp, config];
        self.file.is_none() && !says && lists.iter().all(|list| list.is_empty())
    }
}

/// What a single plugin is held to, and where its compiled code is kept.
const OF_PLUGINS: [&str; 17] = [
    "handlers",
    "cache",
    "trusted_digests",
    "trusted_keys",
    "call_ms_max",
    "calls_max",
    "describe_ms_max",
    "memory_bytes_max",
    "table_elements_max",
    "modules_max",
    "report_bytes_max",
    "http_requests_max",
    "http_body_bytes_max",
    "socket_sends_max",
    "log_lines_max",
    "log_line_bytes_max",
    "stdout_bytes_max",
];

const PLACES: [&str; 8] = [
    "store",
    "etcd_user",
    "etcd_password",
    "etcd_ca_file",
    "etcd_cert_file",
    "etcd_key_file",
    "etcd_timeout_ms",
    "schemas",
];

fn add(command: Command, rows: impl Iterator<Item = &'static Row>) -> Command {
    let file = Arg::new("settings")
        .long("settings")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help(format!(
            "Settings file [default: {FILE}, if there is one] [env: STOKEHOLD_SETTINGS]"
        ));
    rows.fold(command.arg(file), |command, row| {
        let default = match row.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        let what = row.what.trim();
        command.arg(
            Arg::new(row.name)
                .long(row.flag())
                .value_name("VALUE")
                .help(format!("{what}{default} [env: {}]", row.variable())),
        )
    })
}

fn take(matches: &mut ArgMatches, rows: impl Iterator<Item = &'static Row>) -> Named {
    let values: BTreeMap<_, _> = rows
        .filter_map(|row| Some((row.name.to_owned(), matches.remove_one::<String>(row.name)?)))
        .collect();
    let flags = Flags { values, ..Flags::default() };
    Named { file: matches.remove_one("settings"), flags }
}

fn places() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(|row| PLACES.contains(&row.name))
}

fn add_grants(command: Command) -> Command {
    let many = |id: &'static str, flag: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(flag).value_name(value).help(help).action(ArgAction::Append)
    };
    command
        .arg(many(
            "grant_http",
            "grant-http",
            "PLUGIN=HOST:PORT",
            "Let a plugin talk to a host, as [METHODS ][scheme://]host:port[ local]; may be repeated",
        ))
        .arg(many(
            "grant_udp",
            "grant-udp",
            "PLUGIN=ADDRESS:PORT",
            "Let a plugin send datagrams, as 10.0.0.0/8:161 or name:161; may be repeated",
        ))
        .arg(many(
            "grant_tcp",
            "grant-tcp",
            "PLUGIN=ADDRESS:PORT",
            "Let a plugin connect, as 10.0.0.0/8:22 or name:22; may be repeated",
        ))
        .arg(many(
            "config",
            "config",
            "PLUGIN.KEY=VALUE",
            "A setting of a plugin's own; may be repeated [env: STOKEHOLD_PLUGIN_<NAME>_<KEY>]",
        ))
}

fn take_grants(matches: &mut ArgMatches, flags: &mut Flags) {
    let mut many = |id| matches.remove_many(id).into_iter().flatten().collect();
    flags.grant_http = many("grant_http");
    flags.grant_udp = many("grant_udp");
    flags.grant_tcp = many("grant_tcp");
    flags.config = many("config");
}

fn of_plugins() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(|row| OF_PLUGINS.contains(&row.name))
}

macro_rules! flags_with_grants {
    ($type:ident, $rows:expr, $change:expr) => {
        impl Args for $type {
            fn augment_args(command: Command) -> Command {
                $change(add_grants(add(command, $rows)))
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $type {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Self::from_arg_matches_mut(&mut matches.clone())
            }

            fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
                let mut named = take(matches, $rows);
                take_grants(matches, &mut named.flags);
                Ok(Self(named))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}

fn beside(command: Command) -> Command {
    let help = "Folder in which the plugin's <name>.toml is read [default: that of the file]";
    command.mut_arg("handlers", |arg| arg.help(help))
}

flags_with_grants!(AllFlags, ROWS.iter(), std::convert::identity);
flags_with_grants!(PluginFlags, of_plugins(), beside);

macro_rules! some_flags {
    ($type:ident, $hidden:expr) => {
        impl Args for $type {
            fn augment_args(command: Command) -> Command {
                let command = add(command, places());
                $hidden
                    .iter()
                    .fold(command, |command, name| command.mut_arg(name, |arg| arg.hide(true)))
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $type {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(take(&mut matches.clone(), places())))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}

const NONE: [&str; 0] = [];
some_flags!(PlaceFlags, NONE);
// Taken, so that scripts may name the same places to every command, but of no use.
some_flags!(StoreFlags, ["schemas"]);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn all(line: &[&str]) -> Named {
        let mut matches =
            AllFlags::augment_args(Command::new("t").no_binary_name(true)).get_matches_from(line);
        AllFlags::from_arg_matches_mut(&mut matches).unwrap().0
    }

    #[test]
    fn every_setting_has_a_flag_and_only_given_flags_count() {
        for row in ROWS {
            let named = all(&[&format!("--{}", row.flag()), "x"]);
            let only = BTreeMap::from([(row.name.to_owned(), "x".to_owned())]);
            assert_eq!(named.flags.values, only);
        }
        assert!(all(&[]).flags.values.is_empty());
    }

    #[test]
    fn who_only_looks_at_keys_is_offered_the_store_alone() {
        let offered = |command: Command| {
            let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
            shown.map(|arg| arg.get_id().to_string()).collect::<Vec<_>>()
        };
        let bare = || Command::new("t");
        let places = offered(PlaceFlags::augment_args(bare()));
        assert_eq!(places[..2], ["settings", "store"]);
        assert!(places.contains(&"schemas".to_owned()));
        let stores = offered(StoreFlags::augment_args(bare()));
        assert!(!stores.contains(&"schemas".to_owned()));
        assert_eq!(stores.len() + 1, places.len());
    }

    #[test]
    fn who_names_a_cache_says_nothing_of_what_a_plugin_may_do() {
        let silent = |line: &[&str]| {
            let command = PluginFlags::augment_args(Command::new("t").no_binary_name(true));
            let mut matches = command.get_matches_from(line);
            PluginFlags::from_arg_matches_mut(&mut matches).unwrap().0.is_silent()
        };
        assert!(silent(&[]));
        assert!(silent(&["--cache", "c"]));
        assert!(!silent(&["--settings", "f"]));
        assert!(!silent(&["--call-ms-max", "9"]));
        assert!(!silent(&["--grant-http", "a=b:1"]));
        assert!(!silent(&["--config", "a.b=c"]));
    }

    #[test]
    fn who_looks_at_a_plugins_file_reads_its_grants_beside_it() {
        let mut command = PluginFlags::augment_args(Command::new("t"));
        let help = command.render_long_help().to_string();
        assert!(help.contains("<name>.toml is read [default: that of the file]"), "{help}");
        assert!(!help.contains("./handlers"), "{help}");
    }

    #[test]
    fn grants_and_config_may_be_repeated() {
        let named = all(&["--grant-http", "a=b:1", "--config", "a.b=c", "--grant-http", "a=c:2"]);
        assert_eq!(named.flags.grant_http, ["a=b:1", "a=c:2"]);
        let named_too = all(&["--grant-udp", "a=b:1", "--grant-tcp", "a=c:2"]);
        assert_eq!(named_too.flags.grant_udp, ["a=b:1"]);
        assert_eq!(named_too.flags.grant_tcp, ["a=c:2"]);
        assert_eq!(named.flags.config, ["a.b=c"]);
        assert_eq!(all(&["--settings", "f"]).file, Some("f".into()));
    }
}
