//! The binary: arguments in, exit code out.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Thousands who wait are woken by few threads that free what others have allocated; the system's allocator has them wait
/// for each other (docs/adr/0017).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let exit = runtime.block_on(sendready::cli::run());
    // A read of standard input that nobody waits for any more must not hold the process.
    runtime.shutdown_background();
    exit
}
