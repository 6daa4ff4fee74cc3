//! The contracts of all services, compiled: messages, clients and servers, one module per package of `ticketing/`.
//!
//! Everybody speaks to everybody in these types. What they mean is written in the `.proto` files and repeated here on
//! each item. Conversions to a service's own types are that service's business.

pub use generated::{concert, customer, event, orchestrator, payment, token};

#[expect(missing_docs, clippy::allow_attributes, clippy::too_many_lines, reason = "written by a generator")]
mod generated {
    /// Concerts, their seats, and the reservations of those seats.
    pub mod concert {
        pub mod v1 {
            tonic::include_proto!("ticketing.concert.v1");
        }
    }

    /// Customers and their points.
    pub mod customer {
        pub mod v1 {
            tonic::include_proto!("ticketing.customer.v1");
        }
    }

    /// Data of the CloudEvents that the services publish.
    pub mod event {
        pub mod v1 {
            tonic::include_proto!("ticketing.event.v1");
        }
    }

    /// The coordinator of checkouts, cancellations and point charges.
    pub mod orchestrator {
        pub mod v1 {
            tonic::include_proto!("ticketing.orchestrator.v1");
        }
    }

    /// Payments, refunds, and what is sent to the outside after a sale.
    pub mod payment {
        pub mod v1 {
            tonic::include_proto!("ticketing.payment.v1");
        }
    }

    /// Waiting rooms in front of sales, and the queue tokens of those who wait.
    pub mod token {
        pub mod v1 {
            tonic::include_proto!("ticketing.token.v1");
        }
    }
}

/// A `google.protobuf.FileDescriptorSet` of all contracts and their imports, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn the_descriptor_set_holds_every_service() {
        let descriptors = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let mut services: Vec<String> = descriptors
            .file
            .iter()
            .flat_map(|file| file.service.iter().map(|service| format!("{}.{}", file.package(), service.name())))
            .collect();
        services.sort();
        assert_eq!(
            services,
            [
                concert::v1::concert_service_server::SERVICE_NAME,
                concert::v1::reservation_service_server::SERVICE_NAME,
                customer::v1::customer_service_server::SERVICE_NAME,
                customer::v1::point_service_server::SERVICE_NAME,
                orchestrator::v1::checkout_service_server::SERVICE_NAME,
                orchestrator::v1::saga_service_server::SERVICE_NAME,
                payment::v1::delivery_service_server::SERVICE_NAME,
                payment::v1::payment_service_server::SERVICE_NAME,
                token::v1::queue_token_service_server::SERVICE_NAME,
                token::v1::waiting_room_service_server::SERVICE_NAME,
            ]
        );
    }

    #[test]
    fn the_descriptor_set_is_closed_under_imports() {
        let descriptors = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let held = |name: &String| descriptors.file.iter().any(|file| file.name() == name);
        assert!(descriptors.file.iter().all(|file| file.dependency.iter().all(held)));
    }
}
