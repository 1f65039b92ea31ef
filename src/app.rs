//! Wiring: from settings to a running process. The only place that names concrete adapters.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Config;
use crate::dns::hickory::Hickory;
use crate::dns::watched::{Authorities, Watched};
use crate::dns::{self, NoSystemServers, Resolver};
use crate::http;
use crate::http::health::{AuthoritativeState, BreakerState, CheckerState, Health, ResolverState};
use crate::jobs::checks::{self, Pulse};
use crate::jobs::{breaker, daily, deliveries, outside, prune, replicas};
use crate::lifecycle::{End, Lifecycle, allow_open_files};
use crate::sender::names::{DnsNames, Names, SystemNames};
use crate::sender::{self, Sender, SetupError};
use crate::sending::health::Bounds;
use crate::service::blocklists::Blocklists;
use crate::service::domain_age::Registries;
use crate::service::schedule::{Rhythm, Rung};
use crate::service::{self, Service, Settings, WebhookSettings};
use crate::store::migration::{MigrateError, MigrationState};
use crate::store::{Store, StoreError};
use crate::telemetry::TelemetryError;
use crate::telemetry::metrics::{Metrics, authoritative_unreachable};
use crate::verify::breaker::Rule;
use crate::verify::standing::Patience;
use crate::web;
use crate::webhook::signature::Secret;

/// How often the readiness is told how the resolver fares.
const PULSE_INTERVAL: Duration = Duration::from_secs(1);

/// Why a process did not come up.
#[derive(Debug, Error)]
pub enum StartError {
    /// The system's resolvers could not be read.
    #[error("the system's resolvers could not be read; name one with --resolver or dns.resolvers")]
    Resolvers(#[source] NoSystemServers),
    /// The database.
    #[error("the database could not be opened; look at database.url")]
    Store(#[from] StoreError),
    /// Its schema.
    #[error("the database's schema could not be brought up to date")]
    Migrate(#[from] MigrateError),
    /// A use case.
    #[error("the service could not start")]
    Service(#[from] service::Error),
    /// The address is taken, or not ours.
    #[error("{address} could not be listened on; choose another with --listen or http.listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Outgoing HTTP.
    #[error("webhooks could not be set up")]
    Sender(#[from] SetupError),
    /// Metrics.
    #[error("the metrics could not be set up")]
    Telemetry(#[from] TelemetryError),
    /// Signals.
    #[error("signals could not be caught")]
    Signals(#[source] io::Error),
}

/// The resolver of the settings: those named there, or the system's.
///
/// # Errors
///
/// [`StartError::Resolvers`].
pub fn resolver(config: &Config) -> Result<Arc<dyn Resolver>, StartError> {
    let servers = if config.dns.resolvers.is_empty() {
        dns::system_servers().map_err(StartError::Resolvers)?
    } else {
        config.dns.resolvers.clone()
    };
    Ok(Arc::new(Hickory::new(dns::Settings {
        servers,
        timeout: config.dns.timeout,
        in_flight_max: config.dns.max_in_flight,
        authoritative_port: config.dns.authoritative_port,
        allow_private_servers: config.dns.allow_private_servers,
    })))
}

/// What posts events, or asks RDAP. Names are looked up at the resolvers of the settings, or else as the system does.
///
/// # Errors
///
/// [`StartError::Sender`].
fn sender(config: &Config, resolver: &Arc<dyn Resolver>, allow_private: bool) -> Result<Sender, StartError> {
    let names: Arc<dyn Names> = match config.dns.resolvers.is_empty() {
        true => Arc::new(SystemNames),
        false => Arc::new(DnsNames::new(Arc::clone(resolver))),
    };
    let settings = sender::Settings { allow_private, time_max: sender::TIME_MAX };
    Ok(Sender::new(settings, names)?)
}

/// Brings the schema up to date; every migration, and when it was applied.
///
/// # Errors
///
/// [`StartError::Store`], [`StartError::Migrate`].
pub async fn migrate(config: &Config) -> Result<Vec<MigrationState>, StartError> {
    let store = migrated_store(config).await?;
    Ok(store.migration_status().await?)
}

/// Every migration, and whether it was applied. Changes nothing.
///
/// # Errors
///
/// [`StartError::Store`], [`StartError::Migrate`].
pub async fn migration_status(config: &Config) -> Result<Vec<MigrationState>, StartError> {
    let store = Store::connect_to_existing(config.database.url.expose()).await?;
    Ok(store.migration_status().await?)
}

/// The use cases over the database of the settings, which must be there.
///
/// # Errors
///
/// [`StartError::Store`], [`StartError::Migrate`], [`StartError::Service`].
pub async fn service_on_existing_store(config: &Config) -> Result<Service, StartError> {
    let store = Store::connect_to_existing(config.database.url.expose()).await?;
    bring_up_to_date(&store).await?;
    service_on(store, config).await
}

/// The use cases over the database of the settings, which is made where it is missing.
///
/// # Errors
///
/// [`StartError::Store`], [`StartError::Migrate`], [`StartError::Service`].
pub async fn service_on_migrated_store(config: &Config) -> Result<Service, StartError> {
    service_on(migrated_store(config).await?, config).await
}

/// The use cases over a database whose schema is up to date.
async fn service_on(store: Store, config: &Config) -> Result<Service, StartError> {
    let service = Service::new(store, settings(config), Clock::System.ruled(), Chance::default());
    // Before anything is lent or written by a clock of our own.
    service.follow_database_time().await?;
    Ok(service)
}

/// Runs the API and the background work until a signal ends it.
///
/// # Errors
///
/// [`StartError`], before anything is served.
pub async fn serve(mut config: Config) -> Result<End, StartError> {
    allow_open_files();
    let metrics = Metrics::install()?;
    let resolver = resolver(&config)?;
    let registries = match &config.rdap.bootstrap {
        Some(location) => {
            Some(Registries::new(sender(&config, &resolver, config.rdap.allow_private)?, location.clone()))
        }
        None => None,
    };
    let lists = Blocklists::new(config.blocklists.clone());
    let sender = sender(&config, &resolver, config.webhooks.allow_private)?;
    let store = Store::connect(config.database.url.expose()).await?;
    // Before anything of it is changed.
    let _serving = store.lock_for_serving()?;
    bring_up_to_date(&store).await?;
    let address = config.http.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
    let address = listener.local_addr().unwrap_or(address);
    // With port 0 only now anybody knows what setup links are to name.
    config.http.listen = address;
    let service = service_on(store, &config).await?;
    // Before anybody is told that we are there, and may tell us to stop.
    let lifecycle = Lifecycle::new(config.shutdown.grace);
    lifecycle.catch_signals().map_err(StartError::Signals)?;
    announce(&service, address).await?;
    let stop = lifecycle.stop();
    let health = Health::default();
    let router = http::router_with(
        service.clone(),
        health.clone(),
        Some(metrics.clone()),
        web::router(service.clone(), health.clone()),
    );
    lifecycle.spawn("http", http::serve::serve(listener, router, stop.soft.clone(), config.shutdown.grace));
    let watched = Arc::new(Watched::new(resolver));
    let told = health.clone();
    let tell = move |pulse| {
        told.checker(match pulse {
            Pulse::Working => CheckerState::Ok,
            Pulse::Stalled => CheckerState::Stalled,
        });
    };
    let (soft, hard) = (stop.soft.clone(), stop.hard.clone());
    lifecycle.spawn("checks", checks::run(service.clone(), watched.clone(), soft, hard, tell));
    let (soft, hard) = (stop.soft.clone(), stop.hard.clone());
    lifecycle.spawn("deliveries", deliveries::run(service.clone(), sender, soft, hard));
    lifecycle.spawn("daily", daily::run(service.clone(), stop.soft.clone()));
    lifecycle.spawn("reputation", outside::walk(service.clone(), stop.soft.clone()));
    if let Some(registries) = registries {
        lifecycle.spawn("rdap", outside::ask_ages(service.clone(), registries, stop.soft.clone()));
    }
    lifecycle.spawn("blocklists", outside::ask_lists(service.clone(), lists, watched.clone(), stop.soft.clone()));
    lifecycle.spawn("hear", replicas::hear(service.clone(), stop.soft.clone()));
    lifecycle.spawn("clock", replicas::follow_clock(service.clone(), stop.soft.clone()));
    let told = health.clone();
    let tell = move |view| told.breaker(BreakerState::of(&view));
    lifecycle.spawn("breaker", breaker::run(service.clone(), stop.soft.clone(), tell));
    lifecycle.spawn("prune", prune::run(service.clone(), stop.soft.clone()));
    let soft = stop.soft.clone();
    lifecycle.spawn("close", async move {
        soft.cancelled().await;
        service.close();
    });
    lifecycle.spawn("pulse", pulse(watched, health, stop.soft.clone()));
    lifecycle.spawn("metrics", async move {
        tokio::select! {
            () = metrics.upkeep() => {}
            () = stop.soft.cancelled() => {}
        }
    });
    Ok(lifecycle.run().await)
}

/// Tells the readiness how the resolver fares, until told to stop.
async fn pulse(resolver: Arc<Watched>, health: Health, stop: CancellationToken) {
    let mut authorities = Authorities::Unknown;
    while !stop.is_cancelled() {
        let now = resolver.authorities();
        if now != authorities {
            tell_authorities(authorities, now, &health);
            authorities = now;
        }
        health.resolver(if resolver.is_failing() { ResolverState::Failing } else { ResolverState::Ok });
        tokio::select! {
            () = tokio::time::sleep(PULSE_INTERVAL) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Tells that authoritative servers fare otherwise than before.
fn tell_authorities(before: Authorities, now: Authorities, health: &Health) {
    health.authoritative(match now {
        Authorities::Unknown => AuthoritativeState::Unknown,
        Authorities::Answering => AuthoritativeState::Ok,
        Authorities::Unreachable => AuthoritativeState::Unreachable,
    });
    authoritative_unreachable(now == Authorities::Unreachable);
    match (before, now) {
        (_, Authorities::Unreachable) => tracing::warn!(
            "no authoritative name server answers: allow UDP and TCP to port 53 everywhere; until then caches alone are believed"
        ),
        (Authorities::Unreachable, _) => tracing::info!("authoritative name servers answer again"),
        _ => {}
    }
}

/// Says where it listens and, at the first start, the operator's key: the only time that it can be read.
async fn announce(service: &Service, address: SocketAddr) -> Result<(), StartError> {
    let key = service.first_operator_key().await?;
    let mut out = io::stdout().lock();
    let mut lines = format!("listening on http://{address}\n");
    if let Some(key) = key {
        lines.push_str(&format!("operator key: {}\n", key.expose_secret()));
    }
    // Whoever started us may have closed our output; that is no reason not to serve.
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    info!(address = %address, "Listening on http://{address}");
    Ok(())
}

async fn migrated_store(config: &Config) -> Result<Store, StartError> {
    let store = Store::connect(config.database.url.expose()).await?;
    bring_up_to_date(&store).await?;
    Ok(store)
}

async fn bring_up_to_date(store: &Store) -> Result<(), StartError> {
    for applied in store.migrate(Clock::System.now()).await? {
        let how = if applied.adopted { "Adopted" } else { "Applied" };
        info!(migration = %applied.name, "{how} migration {}", applied.name);
    }
    Ok(())
}

/// What the use cases need of the settings.
pub fn settings(config: &Config) -> Settings {
    let checks = &config.checks;
    let delta = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    let rung = |step: &crate::config::LadderStep| Rung { younger_than: step.younger_than, every: step.every };
    Settings {
        patience: Patience {
            grace: delta(checks.grace),
            recovery_hold: delta(checks.recovery_hold),
            stale_limit: delta(checks.stale_limit),
        },
        rhythm: Rhythm {
            pending_ladder: checks.pending_ladder.iter().map(rung).collect(),
            active_interval: checks.active_interval,
            degraded_interval: checks.degraded_interval,
            min_interval: checks.min_interval,
        },
        lease: checks.lease,
        concurrency: checks.concurrency,
        breaker: Rule {
            min_domains: usize::try_from(checks.breaker.min_domains).unwrap_or(usize::MAX),
            share: checks.breaker.share,
            window: delta(checks.breaker.window),
        },
        history_keep: config.history.keep,
        audit_keep: config.audit.keep,
        rate_limits: config.http.rate_limits.clone(),
        sending: Bounds { bounce_max: config.sending.bounce_max, spam_max: config.sending.spam_max },
        public_url: config.http.public_url.clone().unwrap_or_else(|| format!("http://{}", config.http.listen)),
        webhooks: WebhookSettings {
            // Read once already, with the other settings.
            inbound_secrets: config.webhooks.inbound_secrets.iter().filter_map(secret).collect(),
            retry_schedule: config.webhooks.retry_schedule.clone(),
            allow_private: config.webhooks.allow_private,
        },
        profiles: config.providers.iter().map(|(name, profile)| (name.to_owned(), profile.clone())).collect(),
    }
}

fn secret(text: &SecretString) -> Option<Secret> {
    Secret::parse(text.expose_secret()).ok()
}
