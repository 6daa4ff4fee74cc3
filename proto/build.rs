//! Compiles the contracts into `OUT_DIR`: Rust code for `src/lib.rs`, and the descriptor set for reflection. Needs no
//! `protoc` and nothing from the network.

use std::{env, error::Error, fs, path::Path};

use prost::Message as _;
use prost_types::FileDescriptorProto;

const CONTRACTS: [&str; 11] = [
    "ticketing/concert/v1/concert.proto",
    "ticketing/concert/v1/reservation.proto",
    "ticketing/customer/v1/customer.proto",
    "ticketing/customer/v1/point.proto",
    "ticketing/event/v1/event.proto",
    "ticketing/orchestrator/v1/checkout.proto",
    "ticketing/orchestrator/v1/saga.proto",
    "ticketing/payment/v1/delivery.proto",
    "ticketing/payment/v1/payment.proto",
    "ticketing/token/v1/queue_token.proto",
    "ticketing/token/v1/waiting_room.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=ticketing");
    println!("cargo::rerun-if-changed=third_party");

    let mut descriptors = protox::compile(CONTRACTS, [".", "third_party"])?;
    tonic_prost_build::configure()
        .btree_map(".")
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .compile_fds(descriptors.clone())?;

    // Whoever reads a failure by reflection has to know what its details are.
    let details = protox::compile(["google/rpc/error_details.proto"], ["third_party"])?;
    let missing = |file: &FileDescriptorProto| !descriptors.file.iter().any(|known| known.name == file.name);
    let details: Vec<_> = details.file.into_iter().filter(missing).collect();
    descriptors.file.extend(details);
    // Comments are for the generated code; reflection does without.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    let out_dir = env::var("OUT_DIR")?;
    fs::write(Path::new(&out_dir).join("descriptors.binpb"), descriptors.encode_to_vec())?;
    Ok(())
}
