//! The payment service as a process of its own.

/// Many small messages are made and dropped on all threads; this one is built for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    service_kit::process::main::<payment_svc::Process>(env!("CARGO_BIN_NAME"))
}
