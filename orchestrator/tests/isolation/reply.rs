//! What a participant answers that has done what it was asked.

use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use proto::concert::v1::LockReservationResponse;
use tonic::body::Body;

/// Success: the answers of all steps begin with the saga and the amount.
pub(crate) fn done(saga: String, amount: i64) -> http::Response<Body> {
    framed(LockReservationResponse { saga, amount, ..Default::default() }.encode_to_vec())
}

/// Success with this message.
pub(crate) fn framed(message: Vec<u8>) -> http::Response<Body> {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let body = Full::new(bytes::Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = http::Response::new(Body::new(body));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    response
}
