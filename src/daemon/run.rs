//! From arguments to a running agent and back.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::{error, info, warn};

use super::arguments::Arguments;
use super::driver::{Driver, Order, Parts};
use super::facts::facts;
use super::hearing::Hearing;
use super::honour::{Honour, HonourSettings};
use super::hooks::Hooks;
use super::hot_path::HotPath;
use super::kept::kept;
use super::lock::Lock;
use super::logging;
use super::notify::Notifier;
use super::pause_file::PauseFile;
use super::pause_store::PauseStore;
use super::pauses::Pauses;
use super::record::{Recorder, StartRecordError};
use super::run_error::{RunError, chain};
use crate::config::{self, Config, ConfigFile, LoadConfigError, Loaded, Sources};
use crate::control::{self, Brakes, Facts, View};
use crate::emit::{Brake, EmitSettings, Emitter, Ledger};
use crate::engine::{Engine, Event, Policy, Snapshot};
use crate::listen::libvirt::{Access, Listener, Settings};
use crate::metrics::Metrics;
use crate::model::AddressSource;
use crate::observe::addresses::Listens;
use crate::observe::links::Links;
use crate::sys::named_socket::NamedSocket;
use crate::sys::timer::Timer;

/// Orders that wait for the driver: a reload and a stop. A third has to wait for room.
const ORDERS: usize = 2;

/// How long the driver may take to end after an order to: a second for first frames, one to undo,
/// and two for libvirt to let go.
const END: Duration = Duration::from_secs(5);

/// The daemon, from its command line to its exit status.
#[must_use]
pub fn main() -> ExitCode {
    /// `EX_USAGE`: the command line is wrong.
    const USAGE: u8 = 64;
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => {
            let status = if refusal.use_stderr() { USAGE } else { 0 };
            return match refusal.print() {
                Ok(()) => ExitCode::from(status),
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    logging::start();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!("{}", chain(&failure));
            ExitCode::from(failure.status())
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), RunError> {
    let loaded = load(arguments)?;
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    if arguments.check {
        info!("the configuration is valid");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(serve(arguments, loaded))
}

fn load(arguments: &Arguments) -> Result<Loaded, LoadConfigError> {
    config::load(&Sources::of_process(
        arguments.config.clone(),
        arguments.settings(),
    ))
}

/// What the main thread keeps of a running agent.
struct Agent {
    driver: JoinHandle<()>,
    orders: mpsc::Sender<Order>,
    facts: watch::Sender<Arc<Facts>>,
    metrics: Arc<Metrics>,
    notifier: Notifier,
    /// The settings at the start.
    started: Config,
    /// Asks for a look at the pause file.
    look: Arc<Notify>,
    /// For what honours UNARPs.
    honour: watch::Sender<HonourSettings>,
}

async fn serve(arguments: &Arguments, loaded: Loaded) -> Result<(), RunError> {
    let Loaded { config, warnings } = loaded;
    let _lock = Lock::take()?;
    let mut signals = Signals::new().map_err(RunError::Runtime)?;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))?);
    metrics.configure(config.dry_run, config.metrics.guest_labels);
    let http = listen(config.metrics.listen).await?;
    let control = NamedSocket::bind(&config.control_socket, control::dbus::CALLERS).await?;
    let (hooks, hints) = Hooks::listen(&config.hook_socket, Arc::clone(&metrics)).await;
    let (snapshot_sender, snapshot) = watch::channel(Arc::new(Snapshot::default()));
    let (facts_sender, facts) = watch::channel(Arc::new(facts(&config, warnings)));
    let (request_sender, requests) = mpsc::channel(control::REQUESTS);
    // Before anything can send.
    let (pauses, levers) = Pauses::start(
        PauseFile::beside(&ConfigFile::new(arguments.config.clone())),
        PauseStore::within(&config.state_directory),
    );
    let (honour, settings) = Honour::start(HonourSettings::of(&config), &levers.brake, &metrics)?;
    let (orders, order_queue) = mpsc::channel(ORDERS);
    let notifier = Notifier::from_environment();
    let seed = Seed {
        state: config.state_directory.clone(),
        emit: emit(arguments, &config, levers.brake),
        listen: Settings::new(&*config.libvirt.uri, access(config.libvirt.access)),
        engine: Engine::new(config.policy.clone()),
        metrics: Arc::clone(&metrics),
        recorder: recorder(arguments, &config)?,
        snapshots: snapshot_sender,
        brakes: levers.shown.clone(),
        hints,
        requests,
        orders: order_queue,
        notifier,
    };
    let driver = start_driver(seed).await?;
    let view = View {
        snapshot,
        facts,
        brakes: levers.shown.subscribe(),
        metrics: Arc::clone(&metrics),
    };
    let agent = Agent {
        driver,
        orders,
        facts: facts_sender,
        metrics,
        notifier,
        started: config.clone(),
        look: levers.look,
        honour: settings,
    };
    agent.is_ready();
    tokio::select! {
        never = control::http::serve(http, view.clone()) => match never {},
        never = hooks.serve() => match never {},
        never = control::dbus::serve(control, view, request_sender, levers.orders) => match never {},
        never = pauses.serve() => match never {},
        never = honour.serve() => match never {},
        ended = agent.attend(&mut signals, arguments) => ended,
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| RunError::Http { address, source })
}

fn recorder(arguments: &Arguments, config: &Config) -> Result<Option<Recorder>, StartRecordError> {
    let file = arguments.record.as_ref();
    file.map(|file| Recorder::start(file, &config.policy))
        .transpose()
}

fn emit(arguments: &Arguments, config: &Config, brake: Arc<Brake>) -> EmitSettings {
    EmitSettings {
        dry_run: config.dry_run,
        route: arguments.route.into(),
        uplinks: config.network_uplinks.clone(),
        brake,
    }
}

impl Agent {
    /// Says that all stands.
    fn is_ready(&self) {
        self.notifier.ready();
        let config = &self.started;
        info!(version = env!("CARGO_PKG_VERSION"), uri = %config.libvirt.uri.escape_debug(),
            listen = %config.metrics.listen, dry_run = config.dry_run, "macmoved runs");
    }

    /// Obeys signals until one says stop.
    async fn attend(self, signals: &mut Signals, arguments: &Arguments) -> Result<(), RunError> {
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                _ = signals.hang_up.recv() => self.reload(arguments).await?,
                () = self.orders.closed() => return Err(RunError::DriverGone),
            }
        }
        info!("stopping");
        self.notifier.stopping();
        if self.orders.send(Order::Stop).await.is_err() {
            return Err(RunError::DriverGone);
        }
        let ended = tokio::task::spawn_blocking(move || self.driver.join());
        match tokio::time::timeout(END, ended).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(_) => Err(RunError::DriverGone),
            Err(_) => {
                warn!("libvirt did not let go in time; ending all the same");
                Ok(())
            }
        }
    }

    async fn reload(&self, arguments: &Arguments) -> Result<(), RunError> {
        self.notifier.reloading();
        self.look.notify_one();
        match load(arguments) {
            Ok(Loaded { config, warnings }) => {
                for warning in &warnings {
                    warn!("{warning}");
                }
                self.metrics
                    .configure(config.dry_run, config.metrics.guest_labels);
                let dry_run = config.dry_run;
                let kept = kept(&self.started, &config);
                let listens = listens(&config.policy);
                self.honour.send_replace(HonourSettings::of(&config));
                self.facts.send_modify(|before| {
                    let facts = facts(&config, warnings);
                    *before = Arc::new(Facts {
                        since: before.since,
                        ..facts
                    });
                });
                let order = Order::Reload {
                    policy: Box::new(config.policy),
                    dry_run,
                    uplinks: config.network_uplinks,
                    listens,
                };
                if self.orders.send(order).await.is_err() {
                    return Err(RunError::DriverGone);
                }
                info!("configuration reloaded");
                if !kept.is_empty() {
                    let keys = kept.join(" ");
                    warn!(keys, "these keep their old values until a restart");
                }
            }
            Err(refusal) => {
                error!(
                    "the configuration was not reloaded, the old one stays: {}",
                    chain(&refusal)
                );
            }
        }
        self.notifier.ready();
        Ok(())
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

/// What the driver's thread starts from.
struct Seed {
    emit: EmitSettings,
    state: PathBuf,
    listen: Settings,
    engine: Engine,
    metrics: Arc<Metrics>,
    recorder: Option<Recorder>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    brakes: watch::Sender<Brakes>,
    hints: mpsc::Receiver<Event>,
    requests: mpsc::Receiver<control::Request>,
    orders: mpsc::Receiver<Order>,
    notifier: Notifier,
}

/// Starts the driver's thread and waits until it listens.
async fn start_driver(seed: Seed) -> Result<JoinHandle<()>, RunError> {
    let (sender, started) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("driver".to_owned())
        .spawn(move || drive(seed, sender))
        .map_err(RunError::Runtime)?;
    started.await.map_err(|_| RunError::DriverGone)??;
    Ok(thread)
}

fn drive(seed: Seed, started: oneshot::Sender<Result<(), RunError>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            match assemble(seed) {
                Ok(driver) => {
                    if started.send(Ok(())).is_ok() {
                        driver.run().await;
                    }
                }
                Err(failure) => report(started, failure),
            }
        }),
        Err(source) => report(started, RunError::Runtime(source)),
    }
}

fn report(started: oneshot::Sender<Result<(), RunError>>, failure: RunError) {
    if let Err(Err(failure)) = started.send(Err(failure)) {
        error!("{}", chain(&failure));
    }
}

fn assemble(seed: Seed) -> Result<Driver, RunError> {
    let ledger = Ledger::start(seed.state, seed.emit.dry_run, Arc::clone(&seed.emit.brake))
        .map_err(RunError::Runtime)?;
    let emitter = Emitter::open(seed.emit)?;
    let stager = emitter.stager().map_err(RunError::Stager)?;
    let links = Links::open().map_err(RunError::Links)?;
    let listens = listens(seed.engine.policy());
    let listener = Listener::start(seed.listen.clone())?;
    let hearing = Hearing::start(listens, &seed.listen).map_err(RunError::Addresses)?;
    let timer = Timer::new().map_err(RunError::Runtime)?;
    let mut hot = HotPath::new(seed.engine, emitter);
    if let Some(recorder) = seed.recorder {
        hot.record(recorder);
    }
    let parts = Parts {
        hot: Rc::new(RefCell::new(hot)),
        stager,
        ledger,
        listener,
        links,
        hearing,
        metrics: seed.metrics,
        snapshots: seed.snapshots,
        brakes: seed.brakes,
        hints: seed.hints,
        requests: seed.requests,
        orders: seed.orders,
        notifier: seed.notifier,
    };
    Ok(Driver::new(parts, timer))
}

/// Whose word about addresses is listened to.
fn listens(policy: &Policy) -> Listens {
    let sources = &policy.addresses.sources;
    Listens {
        dhcp: policy.retract && sources.contains(&AddressSource::Dhcp),
        snoop: policy.retract && sources.contains(&AddressSource::Snoop),
        lease: policy.retract && sources.contains(&AddressSource::Lease),
    }
}

const fn access(access: config::Access) -> Access {
    match access {
        config::Access::Full => Access::Full,
        config::Access::ReadOnly => Access::ReadOnly,
    }
}
