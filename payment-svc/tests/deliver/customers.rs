//! The customer service as far as it is asked here: who has which phone, and wants notices.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use proto::customer::v1::customer::State;
use proto::customer::v1::{Customer, GetCustomerRequest};
use service_kit::peer::{BoxError, Client};
use tonic::body::Body;
use tonic::{Code, Status};
use uuid::Uuid;

/// What precedes a message on the wire: not compressed, and its length.
const PREFIX: usize = 5;

/// All customers; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Customers(Arc<Mutex<(BTreeMap<String, Customer>, bool)>>);

impl Customers {
    /// A customer with a phone who wants notices or not, also in place of the one that there was.
    pub(crate) fn put(&self, number: u128, phone_number: &str, notification_consent: bool) -> Uuid {
        let id = Uuid::from_u128(number);
        let (name, phone_number) = (format!("customers/{id}"), phone_number.to_owned());
        let state = State::Active.into();
        let customer = Customer { name: name.clone(), phone_number, notification_consent, state, ..Default::default() };
        self.0.lock().unwrap().0.insert(name, customer);
        id
    }

    /// The customer goes for good.
    pub(crate) fn withdraw(&self, id: Uuid) {
        let mut all = self.0.lock().unwrap();
        let customer = all.0.get_mut(&format!("customers/{id}")).unwrap();
        customer.set_state(State::Withdrawn);
    }

    /// Whether nobody gets an answer.
    pub(crate) fn set_down(&self, down: bool) {
        self.0.lock().unwrap().1 = down;
    }

    pub(crate) fn client(&self) -> Client {
        let own = self.clone();
        Client::new(tower::service_fn(move |request: http::Request<Body>| {
            let own = own.clone();
            async move {
                assert_eq!(request.uri().path(), "/ticketing.customer.v1.CustomerService/GetCustomer");
                let message = request.into_body().collect().await?.to_bytes();
                let asked = GetCustomerRequest::decode(message.slice(PREFIX..))?;
                Ok::<_, BoxError>(own.get(&asked.name).map_or_else(|status| status.into_http(), |found| answer(&found)))
            }
        }))
    }

    fn get(&self, name: &str) -> Result<Customer, Status> {
        let all = self.0.lock().unwrap();
        if all.1 {
            return Err(Status::unavailable("down"));
        }
        all.0.get(name).cloned().ok_or_else(|| Status::not_found(name))
    }
}

/// A message and, behind it, that all is well.
fn answer(customer: &Customer) -> http::Response<Body> {
    let length = u32::try_from(customer.encoded_len()).unwrap();
    let body = [&[0], &length.to_be_bytes()[..], &customer.encode_to_vec()].concat();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", (Code::Ok as i32).into());
    let body = Full::new(bytes::Bytes::from(body)).with_trailers(async move { Some(Ok(trailers)) });
    http::Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap()
}
