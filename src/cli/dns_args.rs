//! The DNS options that `check`, `spf`, `dmarc` and `serve` share.

use clap::Args;

use crate::config::Flags;

/// Whom to ask, and how patiently. Read as texts: `config` judges them, so that all faults are told at once.
#[derive(Debug, Clone, Default, Args)]
pub struct DnsArgs {
    /// A recursive server to ask (repeatable; default: the system's)
    #[arg(long = "resolver", value_name = "IP[:PORT]", help_heading = "DNS")]
    pub resolvers: Vec<String>,
    /// The port of authoritative servers [default: 53]
    #[arg(long, value_name = "N", help_heading = "DNS")]
    pub authoritative_port: Option<String>,
    /// Ask authoritative servers on private and loopback addresses, too
    #[arg(long, help_heading = "DNS")]
    pub allow_private_servers: bool,
    /// How long to wait for one answer [default: 2s]
    #[arg(long, value_name = "DUR", help_heading = "DNS")]
    pub timeout: Option<String>,
}

impl DnsArgs {
    /// Writes the options into the flags of the configuration.
    pub fn fill(&self, flags: &mut Flags) {
        flags.resolvers.clone_from(&self.resolvers);
        flags.authoritative_port.clone_from(&self.authoritative_port);
        flags.allow_private_servers = self.allow_private_servers;
        flags.timeout.clone_from(&self.timeout);
    }
}
