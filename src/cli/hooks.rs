//! `macmovectl hooks`: libvirt's hook script, its file and whether it is heard.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::failure::Failure;
use super::options::HooksAction;
use super::{hook, output};
use crate::model::Escaped;

/// The script, as it is installed.
const SCRIPT: &str = include_str!("../../hooks/50-macmoved");

/// libvirt runs `hooks/qemu` and then what is here, by name (libvirt 6.5 and later).
const DIRECTORY: &str = "etc/libvirt/hooks/qemu.d";

/// What only our script says, in every version of it.
const MARK: &str = "# This file is macmoved's:";

/// The daemons that run hooks, by their process names.
const DAEMONS: [&str; 2] = ["libvirtd", "virtqemud"];

/// Does what was asked for below `root`.
pub(super) fn run(action: HooksAction, root: &Path, json: bool) -> Result<(), Failure> {
    let file = root.join(DIRECTORY).join("50-macmoved");
    match action {
        HooksAction::Install => install(&file, root),
        HooksAction::Uninstall => uninstall(&file),
        HooksAction::Status => {
            let status = Status::of(file, root)?;
            if json {
                output::print_json(&status)
            } else {
                output::print(status.text())
            }
        }
    }
}

/// What has the script's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Script {
    /// The script of this version.
    Installed,
    /// Ours, and not of this version or edited.
    Differs,
    /// Nothing.
    NotInstalled,
    /// Somebody else's.
    Foreign,
}

impl Script {
    fn at(file: &Path) -> Result<Self, Failure> {
        match fs::read(file) {
            Ok(octets) if octets == SCRIPT.as_bytes() => Ok(Self::Installed),
            Ok(octets) if String::from_utf8_lossy(&octets).contains(MARK) => Ok(Self::Differs),
            Ok(_) => Ok(Self::Foreign),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::NotInstalled),
            Err(source) => Err(failed(file)(source)),
        }
    }
}

fn failed(file: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = file.to_owned();
    move |source| Failure::HookScript { path, source }
}

fn install(file: &Path, root: &Path) -> Result<(), Failure> {
    match Script::at(file)? {
        Script::Foreign => return Err(Failure::ForeignHook(file.to_owned())),
        Script::Installed | Script::Differs | Script::NotInstalled => {}
    }
    let known = reload(root, Some(file));
    let directory = file.parent().unwrap_or(root);
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory);
    made.map_err(failed(directory))?;
    // Whole or not at all: libvirt may run whatever is executable here at any time.
    let partial = directory.join(".50-macmoved.partial");
    write(&partial).map_err(failed(&partial))?;
    fs::rename(&partial, file).map_err(failed(file))?;
    let next = match known {
        Reload::NotNeeded => "libvirt runs it from now on",
        Reload::Needed | Reload::Unknown if root != Path::new("/") => {
            "libvirt runs it once it is started there"
        }
        Reload::Needed | Reload::Unknown => {
            "libvirt may not know of hooks yet: reload it, with `systemctl reload libvirtd` \
             (or virtqemud); guests go on running"
        }
    };
    output::print(format_args!("installed {}; {next}\n", file.display()))
}

fn write(file: &Path) -> io::Result<()> {
    let mut options = fs::File::options();
    let mut script = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?;
    script.write_all(SCRIPT.as_bytes())?;
    script.set_permissions(Permissions::from_mode(0o755))
}

fn uninstall(file: &Path) -> Result<(), Failure> {
    match Script::at(file)? {
        Script::Foreign => Err(Failure::ForeignHook(file.to_owned())),
        Script::NotInstalled => output::print("the hook script is not installed\n"),
        Script::Installed | Script::Differs => {
            fs::remove_file(file).map_err(failed(file))?;
            output::print(format_args!("removed {}\n", file.display()))
        }
    }
}

/// Whether libvirt has to be told that there are hooks: it looks for them when it starts and when it
/// is reloaded, and where it found any it sees later ones by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reload {
    /// There were hooks when it started.
    NotNeeded,
    /// There was none then. It may have been reloaded since, which leaves no trace.
    Needed,
    /// It does not run, or does not say when it started.
    Unknown,
}

/// Judges by when libvirt and every hook came; `besides` is left out.
fn reload(root: &Path, besides: Option<&Path>) -> Reload {
    let Some(started) = DAEMONS.iter().find_map(|name| started(root, name)) else {
        return Reload::Unknown;
    };
    let hooks = root.join("etc/libvirt/hooks");
    let scripts = fs::read_dir(hooks.join("qemu.d")).into_iter().flatten();
    let scripts = scripts.flatten().map(|entry| entry.path());
    let known = scripts
        .chain([hooks.join("qemu")])
        .filter(|path| Some(path.as_path()) != besides)
        .filter_map(|path| fs::metadata(path).ok())
        .filter(|script| script.is_file() && script.permissions().mode() & 0o111 != 0)
        .filter_map(|script| script.modified().ok())
        .any(|at| at <= started);
    if known {
        Reload::NotNeeded
    } else {
        Reload::Needed
    }
}

/// When a daemon that runs wrote its pid down, which is when it started.
fn started(root: &Path, name: &str) -> Option<SystemTime> {
    let file = root.join("run").join(format!("{name}.pid"));
    let pid: u32 = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
    let process = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let runs = process.trim() == name;
    fs::metadata(file).ok()?.modified().ok().filter(|_| runs)
}

/// Whether anybody takes what the script has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Socket {
    /// The agent listens.
    Alive,
    /// Nobody does.
    Dead,
    /// It is for root alone.
    Forbidden,
}

impl Socket {
    fn at(path: &Path) -> Self {
        match hook::connect(path) {
            Ok(_) => Self::Alive,
            // Its callers wait for it; so it is there.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Self::Alive,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Self::Forbidden,
            Err(_) => Self::Dead,
        }
    }
}

#[derive(Debug, Serialize)]
struct Status {
    file: PathBuf,
    script: Script,
    socket: PathBuf,
    socket_is: Socket,
    reload: Reload,
}

impl Status {
    fn of(file: PathBuf, root: &Path) -> Result<Self, Failure> {
        let script = Script::at(&file)?;
        let socket = hook::socket();
        Ok(Self {
            script,
            file,
            socket_is: Socket::at(&socket),
            socket,
            reload: reload(root, None),
        })
    }

    fn text(&self) -> String {
        let script = match self.script {
            Script::Installed => "installed",
            Script::Differs => {
                "differs from this version's; `macmovectl hooks install` replaces it"
            }
            Script::NotInstalled => "not installed; everything works without it, later",
            Script::Foreign => "somebody else's file, which is left alone",
        };
        let socket = match self.socket_is {
            Socket::Alive => "macmoved listens",
            Socket::Dead => "nobody listens; is macmoved running?",
            Socket::Forbidden => "for root alone; try sudo",
        };
        let reload = match (self.script, self.reload) {
            (Script::NotInstalled | Script::Foreign, _) => "does not run it",
            (_, Reload::NotNeeded) => "runs it",
            (_, Reload::Needed) => {
                "started before there was a hook: reload it, unless that was done since"
            }
            (_, Reload::Unknown) => "does not run, or does not say since when",
        };
        format!(
            "script:  {} {script}\nsocket:  {} {socket}\nlibvirt: {reload}\n",
            shown(self.file.as_os_str()),
            shown(self.socket.as_os_str()),
        )
    }
}

fn shown(path: &OsStr) -> String {
    Escaped(&path.to_string_lossy()).to_string()
}
